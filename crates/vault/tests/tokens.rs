//! What holds for every token, whatever the secret and the place.

use std::borrow::Cow;

use insightpulse_domain::{Destination, Kind, RawEndpoint, TlsMode};
use insightpulse_vault::{Binding, Bound, Field, Keyring, OpenError, SealedToken};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use secrecy::ExposeSecret;
use uuid::Uuid;

/// Any parts in a row, to try how they are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts(Vec<Vec<u8>>);

impl Bound for Parts {
    fn parts(&self) -> Vec<Cow<'_, [u8]>> {
        self.0.iter().map(|part| Cow::Borrowed(part.as_slice())).collect()
    }
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn endpoint() -> impl Strategy<Value = RawEndpoint> {
    let host = prop_oneof![
        "[a-z]{1,6}(\\.[a-z]{1,4}){0,2}",
        "http://[a-z]{1,6}(/[a-z]{0,3})?",
        ".{0,12}"
    ];
    let tls = select(vec![
        None,
        Some(TlsMode::Disable),
        Some(TlsMode::Require),
        Some(TlsMode::VerifyFull),
    ]);
    let port = prop_oneof![Just(None), (1..65_536_i64).prop_map(Some)];
    (
        uuid(),
        select(Kind::ALL.to_vec()),
        host,
        port,
        tls,
        prop::option::of(".{0,8}"),
    )
        .prop_map(|(record, kind, host, port, tls_mode, username)| RawEndpoint {
            record,
            name: "Any".into(),
            base_url: Some(host),
            port,
            tls_mode,
            username,
            ..RawEndpoint::new(kind)
        })
}

fn binding() -> impl Strategy<Value = Binding> {
    (uuid(), endpoint(), select(vec![Field::Password, Field::ApiKey]))
        .prop_map(|(database, endpoint, field)| Binding::of(database, &endpoint, field))
}

fn keyring() -> Keyring {
    Keyring::generate().expect("random numbers")
}

fn seal(keyring: &Keyring, secret: &str, bound: &impl Bound) -> String {
    keyring.seal(&secret.into(), bound).expect("sealed").to_string()
}

fn open(keyring: &Keyring, token: &str, bound: &impl Bound) -> Result<String, OpenError> {
    let token: SealedToken = token.parse()?;
    Ok(keyring.open(&token, bound)?.expose_secret().to_owned())
}

proptest! {
    #[test]
    fn a_token_opens_for_its_own_binding_and_for_no_part_of_another(
        secret in ".{0,40}", own in binding(), other in binding(),
    ) {
        let keyring = keyring();
        let token = seal(&keyring, &secret, &own);
        prop_assert_eq!(open(&keyring, &token, &own), Ok(secret));
        // Each part alone, and all at once.
        let swaps = [
            Binding { database: other.database, ..own.clone() },
            Binding { record: other.record, ..own.clone() },
            Binding { field: other.field, ..own.clone() },
            Binding { destination: other.destination.clone(), ..own.clone() },
            Binding { database: own.record, record: own.database, ..own.clone() },
            other,
        ];
        for swap in swaps.into_iter().filter(|swap| *swap != own) {
            prop_assert_eq!(open(&keyring, &token, &swap), Err(OpenError::Refused));
        }
    }

    #[test]
    fn each_part_of_a_destination_counts(one in endpoint(), other in endpoint(), database in uuid()) {
        let keyring = keyring();
        let own = Binding::of(database, &one, Field::Password);
        let token = seal(&keyring, "secret", &own);
        let mixed = [
            RawEndpoint { kind: other.kind, ..one.clone() },
            RawEndpoint { base_url: other.base_url.clone(), ..one.clone() },
            RawEndpoint { port: other.port, ..one.clone() },
            RawEndpoint { tls_mode: other.tls_mode, ..one.clone() },
            RawEndpoint { username: other.username, ..one.clone() },
        ];
        for raw in mixed {
            let is_same = Destination::of(&raw) == own.destination;
            let opened = open(&keyring, &token, &Binding::of(database, &raw, Field::Password));
            prop_assert_eq!(opened.is_ok(), is_same, "{:?}", raw);
        }
        // What a record is called, how often it was changed, or which database it is asked for, is no destination.
        let renamed = RawEndpoint {
            id: 9, revision: 9, name: "Other".into(), database_name: Some("books".into()), ..one
        };
        prop_assert!(open(&keyring, &token, &Binding::of(database, &renamed, Field::Password)).is_ok());
    }

    #[test]
    fn no_two_rows_of_parts_are_the_same_to_it(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..5),
        cut in any::<Index>(), at in any::<Index>(),
    ) {
        let keyring = keyring();
        let own = Parts(parts.clone());
        let token = seal(&keyring, "secret", &own);
        let mut others = vec![];
        // The same bytes, cut elsewhere; a part more; a part less; two in one.
        let index = cut.index(parts.len());
        let (head, tail) = parts[index].split_at(at.index(parts[index].len() + 1));
        let mut split = parts.clone();
        split.splice(index..=index, [head.to_vec(), tail.to_vec()]);
        others.push(split);
        others.push([parts.clone(), vec![vec![]]].concat());
        others.push(parts[..parts.len() - 1].to_vec());
        others.push(vec![parts.concat()]);
        others.push(parts.iter().rev().cloned().collect());
        for other in others.into_iter().map(Parts).filter(|other| *other != own) {
            prop_assert_eq!(open(&keyring, &token, &other), Err(OpenError::Refused), "{:?}", other);
        }
    }

    #[test]
    fn a_token_that_was_cut_prolonged_or_changed_does_not_open(
        secret in ".{0,40}", own in binding(), at in any::<Index>(), more in "[A-Za-z0-9_.=-]{1,5}", put in "[ -~]",
    ) {
        let keyring = keyring();
        let token = seal(&keyring, &secret, &own);
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &put);
        let second = seal(&keyring, &secret, &own);
        // The nonce of one with the rest of another.
        let nonce = token.rfind('.').expect("two dots") + 1 + 32;
        let mixed = format!("{}{}", &token[..nonce], &second[nonce..]);
        for other in [&token[..at], &format!("{token}{more}"), &changed, &mixed] {
            if other != token {
                prop_assert!(open(&keyring, other, &own).is_err(), "{other}");
            }
        }
    }

    #[test]
    fn a_token_has_one_spelling(text in "ip1\\.[a-z0-9-]{0,34}\\.[A-Za-z0-9_=+/-]{0,120}|\\PC{0,60}") {
        if let Ok(token) = text.parse::<SealedToken>() {
            prop_assert_eq!(token.to_string(), text);
        }
    }

    #[test]
    fn a_token_of_another_key_names_it(secret in ".{0,20}", own in binding()) {
        let (mine, theirs) = (keyring(), keyring());
        let token = seal(&theirs, &secret, &own);
        prop_assert_eq!(open(&mine, &token, &own), Err(OpenError::UnknownKey(theirs.primary().clone())));
        // Under the name of a key that is there, it is refused all the same.
        let renamed = token.replace(&theirs.primary().to_string(), &mine.primary().to_string());
        prop_assert_eq!(open(&mine, &renamed, &own), Err(OpenError::Refused));
    }
}
