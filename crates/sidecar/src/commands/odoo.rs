//! What the verbs have in common that ask Odoo as one of its users.

use anyhow::{Context, bail};
use clap::Args;
use insightpulse_domain::Kind;
use insightpulse_odoo_rpc::{Call, Client};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::settings::RawSettings;

const MODEL: &str = "insightpulse.connection.endpoint";

/// Which connections, of those that the user may read.
#[derive(Args)]
pub struct Selection {
    /// Of this agency alone; may be given several times
    #[arg(long, value_name = "CODE")]
    agency: Vec<String>,

    /// Of this name alone; may be given several times
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Of this kind alone: supabase, postgresql, odoo, …; may be given several times
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<Kind>,

    /// Asks an Odoo without TLS that is not on this machine, which lets everybody in between read the key and the secrets
    #[arg(long)]
    insecure_http: bool,
}

/// How the user logs in, for the help.
pub const LOGIN: &str = "\
Odoo is asked as the user whose API key (My Profile → Account Security → New API Key) is in INSIGHTPULSE_ODOO__API_KEY or \
the file that INSIGHTPULSE_ODOO__API_KEY_FILE names. INSIGHTPULSE_ODOO__URL, INSIGHTPULSE_ODOO__DATABASE and \
INSIGHTPULSE_ODOO__LOGIN say where and who; all of them may be in the configuration's table [odoo] too.";

/// A document, as `render_config` gives it.
pub struct Document {
    pub content: String,
    /// How many connections were asked for.
    pub count: usize,
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::of(text).ok_or_else(|| format!("there are: {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

impl Selection {
    /// Where Odoo is, and as whom it is asked; what is wrong is wrong input.
    pub fn client(&self, settings: RawSettings) -> anyhow::Result<Client> {
        let (account, protocol) = settings.odoo()?;
        let url = Url::parse(&account.url)
            .with_context(|| format!("odoo.url, “{}”, is not an address", account.url))?;
        if url.scheme() == "http" && !is_loopback(&url) && !self.insecure_http {
            bail!(
                "odoo.url, {url}, has no TLS, so everybody in between could read the key and the secrets: take an \
                 https:// address, or say --insecure-http"
            );
        }
        Ok(Client::new(account, protocol)?)
    }

    /// One document of all that were selected, in the order that Odoo has them in.
    pub async fn render(&self, client: &Client, format: &str, reveal: bool) -> anyhow::Result<Document> {
        let ids = client
            .call(Call::new(MODEL, "search").arg("domain", self.domain()))
            .await?;
        let ids: Vec<i64> = serde_json::from_value(ids).context("Odoo's answer is no list of ids")?;
        let count = ids.len();
        if count == 0 {
            bail!("no connection that you may read fits");
        }
        let document = client
            .call(
                Call::new(MODEL, "render_config")
                    .ids(ids)
                    .arg("format", format)
                    .arg("reveal", reveal),
            )
            .await?;
        let content = document["content"]
            .as_str()
            .context("Odoo's answer is no document: update the addon and this program together")?;
        Ok(Document {
            content: content.to_owned(),
            count,
        })
    }

    fn domain(&self) -> Value {
        let kinds: Vec<_> = self.kind.iter().map(|kind| kind.as_str()).collect();
        let mut terms = vec![];
        for (field, values) in [
            ("agency_id.code", json!(self.agency)),
            ("name", json!(self.name)),
            ("connection_type", json!(kinds)),
        ] {
            if values != json!([]) {
                terms.push(json!([field, "in", values]));
            }
        }
        json!(terms)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
