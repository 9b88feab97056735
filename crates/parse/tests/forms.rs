//! What each form that people paste comes to.

use expect_test::{Expect, expect};
use insightpulse_parse::parse;
use secrecy::ExposeSecret;

fn check(text: &str, expected: Expect) {
    let said = match parse(text) {
        Err(error) => format!("error: {error}"),
        Ok(pasted) => {
            let connections = pasted.connections.iter().map(|connection| {
                let raw = &connection.raw;
                let secret = |name: &str, secret: &Option<secrecy::SecretString>| {
                    secret
                        .as_ref()
                        .map(|secret| format!("{name}={}", secret.expose_secret()))
                };
                let parts = [
                    Some(format!("“{}” {}", raw.name, raw.kind.as_str())),
                    raw.base_url.clone(),
                    raw.port.map(|port| port.to_string()),
                    raw.username.as_ref().map(|user| format!("user={user}")),
                    raw.database_name.as_ref().map(|name| format!("db={name}")),
                    raw.tls_mode.map(|mode| format!("tls={}", mode.as_str())),
                    raw.web_url.as_ref().map(|url| format!("web={url}")),
                    raw.sign_in.map(|sign_in| format!("sign_in={}", sign_in.as_str())),
                    raw.key_header.as_ref().map(|name| format!("header={name}")),
                    secret("password", &connection.password),
                    secret("key", &connection.api_key),
                ];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            });
            let variables = pasted.variables.iter();
            let variables = variables.map(|(name, value)| format!("{name}={:?}", value.expose_secret()));
            connections.chain(variables).collect::<Vec<_>>().join("\n")
        }
    };
    expected.assert_eq(&said);
}

#[test]
fn addresses() {
    check(
        "postgresql://u:p%40ss@db.example:5433/books?sslmode=require&options=-c%20x&sslrootcert=/etc/passwd",
        expect![
            "“db.example:5433/books” postgresql db.example 5433 user=u db=books tls=require password=p@ss"
        ],
    );
    check(
        "  postgres://u:it's#1/2%@db.example/books\n",
        expect!["“db.example/books” postgresql db.example user=u db=books password=it's#1/2%"],
    );
    check(
        "postgresql+asyncpg://u:p@db.example/books",
        expect!["“db.example/books” postgresql db.example user=u db=books password=p"],
    );
    check(
        "# two\npostgresql://u@a/b\nmysql://root:x@b:3307/shop\n",
        expect![[r#"
        “a/b” postgresql a user=u db=b
        “b:3307/shop” mysql b 3307 user=root db=shop password=x"#]],
    );
    check(
        "https://api.example.com/v1",
        expect!["“api.example.com/v1” api https://api.example.com/v1"],
    );
    check(
        "jdbc:postgresql://db.example/books?user=u&password=a+b%2B&ssl=true&sslmode=verify-full",
        expect!["“db.example/books” postgresql db.example user=u db=books tls=verify-full password=a b+"],
    );
    check(
        "jdbc:mariadb://[::1]:3307/shop?user=u&sslMode=VERIFY_IDENTITY",
        expect!["“::1/shop” mysql ::1 3307 user=u db=shop tls=verify-full"],
    );
    check(
        "redis://u:canary@db",
        expect![
            "error: The scheme “redis” is not known; there are: postgresql, postgres, supabase, odoo, mysql, mongodb, mariadb, http, https, mcp+http, mcp+https, superset+http, superset+https."
        ],
    );
}

#[test]
fn connection_strings() {
    check(
        "host=db.example port = 5433 dbname='my db' user=u password='it\\'s' sslmode=require connect_timeout=3",
        expect!["“db.example/my db” postgresql db.example 5433 user=u db=my db tls=require password=it's"],
    );
    check(
        "Host=db.example;Port=5433;Database=books;Username=u;Password=\"a;\"\"b\";SSL Mode=VerifyFull;Pooling=true",
        expect![[
            r#"“db.example/books” postgresql db.example 5433 user=u db=books tls=verify-full password=a;"b"#
        ]],
    );
    check(
        "Server=db.example;User ID=root;Password='x''y';Database=shop;SSL Mode=Required",
        expect!["“db.example/shop” mysql db.example user=root db=shop tls=require password=x'y"],
    );
    check(
        "db.example:5433:books:u:a\\:b\\\\c",
        expect![[r#"“db.example/books” postgresql db.example 5433 user=u db=books password=a:b\c"#]],
    );
    check(
        "db.example:5433:books:u:x\n# c\n*:5432:*:u:y",
        expect!["“db.example/books” postgresql db.example 5433 user=u db=books password=x"],
    );
}

#[test]
fn commands() {
    check(
        "PGPASSWORD='it'\\''s' psql 'host=db.example dbname=books user=u sslmode=require'",
        expect!["“db.example/books” postgresql db.example user=u db=books tls=require password=it's"],
    );
    check(
        "$ psql -h db.example -p 5433 -U u -d books",
        expect!["“db.example/books” postgresql db.example 5433 user=u db=books"],
    );
    check(
        "psql \"postgresql://u:p@db.example/books\" -c 'select 1'",
        expect!["“db.example/books” postgresql db.example user=u db=books password=p"],
    );
    check(
        "psql --host=db.example --username u books",
        expect!["“db.example/books” postgresql db.example user=u db=books"],
    );
    check(
        "mysql -h db.example -P 3307 -u root -psecret shop",
        expect!["“db.example/shop” mysql db.example 3307 user=root db=shop password=secret"],
    );
    check(
        "curl -H 'Authorization: Bearer k-1' \\\n  https://api.example.com/v1",
        expect!["“api.example.com/v1” api https://api.example.com/v1 sign_in=bearer key=k-1"],
    );
    check(
        "curl https://abcdefghij.supabase.co/rest/v1/ -H \"apikey: k-1\" -H \"Authorization: Bearer k-1\"",
        expect![
            "“db.abcdefghij.supabase.co/postgres” supabase db.abcdefghij.supabase.co user=postgres db=postgres key=k-1"
        ],
    );
    check(
        "psql 'host=db",
        expect![
            "error: The text looks like a command, and is not whole: it ends too early, or a quote or bracket is missing."
        ],
    );
}

#[test]
fn env_files() {
    check(
        "# Supabase Production\nSUPABASE_PRODUCTION_URL=postgresql://postgres:x@db.abcdefghij.supabase.co:5432/postgres\n\
         SUPABASE_PRODUCTION_USER=postgres\nSUPABASE_PRODUCTION_PASSWORD='x y'\nSUPABASE_PRODUCTION_API_KEY=k\n",
        expect![[r#"
            “Supabase Production” supabase db.abcdefghij.supabase.co 5432 user=postgres db=postgres password=x y key=k
            SUPABASE_PRODUCTION_URL="postgresql://postgres:x@db.abcdefghij.supabase.co:5432/postgres"
            SUPABASE_PRODUCTION_USER="postgres"
            SUPABASE_PRODUCTION_PASSWORD="x y"
            SUPABASE_PRODUCTION_API_KEY="k""#]],
    );
    check(
        "export DB_HOST=db.example\nexport DB_PORT=3306 # the usual\nDB_USERNAME=u\nDB_PASSWORD=\"a b\\nc\"\nDB_DATABASE=shop",
        expect![[r#"
            “db.example/shop” mysql db.example 3306 user=u db=shop password=a b
            c
            DB_HOST="db.example"
            DB_PORT="3306"
            DB_USERNAME="u"
            DB_PASSWORD="a b\nc"
            DB_DATABASE="shop""#]],
    );
    check(
        "PGHOST=db.example\nPGUSER=u\nPGPASSWORD=p\nPGDATABASE=books\nPGSSLMODE=require",
        expect![[r#"
            “db.example/books” postgresql db.example user=u db=books tls=require password=p
            PGHOST="db.example"
            PGUSER="u"
            PGPASSWORD="p"
            PGDATABASE="books"
            PGSSLMODE="require""#]],
    );
    check(
        "SUPABASE_URL=https://abcdefghij.supabase.co\nSUPABASE_ANON_KEY=k\n",
        expect![[r#"
        “db.abcdefghij.supabase.co/postgres” supabase db.abcdefghij.supabase.co user=postgres db=postgres key=k
        SUPABASE_URL="https://abcdefghij.supabase.co"
        SUPABASE_ANON_KEY="k""#]],
    );
    check(
        "NEXT_PUBLIC_SUPABASE_URL=https://abcdefghij.supabase.co\nNEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY=k\n\
         DATABASE_URL=postgresql://postgres.abcdefghij:[YOUR-PASSWORD]@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
        expect![[r#"
            “aws-0-eu-west-1.pooler.supabase.com:6543/postgres” supabase aws-0-eu-west-1.pooler.supabase.com 6543 user=postgres.abcdefghij db=postgres key=k
            NEXT_PUBLIC_SUPABASE_URL="https://abcdefghij.supabase.co"
            NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY="k"
            DATABASE_URL="postgresql://postgres.abcdefghij:[YOUR-PASSWORD]@aws-0-eu-west-1.pooler.supabase.com:6543/postgres""#]],
    );
    check(
        "U=me\nDATABASE_URL=\"postgresql://${U}:${P}@db.example/books\"",
        expect![[r#"
        “db.example/books” postgresql db.example user=me db=books
        U="me"
        DATABASE_URL="postgresql://me:${P}@db.example/books""#]],
    );
    check(
        "RIM_DB_PASSWORD=one\nCKVC_DB_PASSWORD='t wo'\n",
        expect![[r#"
        RIM_DB_PASSWORD="one"
        CKVC_DB_PASSWORD="t wo""#]],
    );
    check(
        "agency,password\nRIM,one\nCKVC,\"t,\"\"wo\"\nBOM,three,more\n",
        expect![[r#"
        RIM="one"
        CKVC="t,\"wo"
        BOM="three""#]],
    );
}

#[test]
fn files() {
    check(
        "[books]\nhost=db.example\nport=5433\npassword= x \n\n# c\n[other]\nhost=b\nuser=u",
        expect![[r#"
            “books” postgresql db.example 5433 password= x
            “other” postgresql b user=u"#]],
    );
    check(
        "[options]\naddons_path = /x\ndb_host = db.example\ndb_port = False\ndb_user = odoo\ndb_password = a b\ndb_name = odoo19",
        expect!["“db.example/odoo19” odoo db.example user=odoo db=odoo19 password=a b"],
    );
    check(
        "services:\n  app:\n    environment:\n      - DATABASE_URL=postgresql://u:a$$b@db.example/books\n  db:\n    image: postgres:17\n    \
         environment:\n      POSTGRES_USER: u\n      POSTGRES_PASSWORD: ${PW}\n      POSTGRES_DB: books\n    ports: [\"127.0.0.1:5433:5432\"]\n",
        expect![[r#"
            “db.example/books” postgresql db.example user=u db=books password=a$b
            “db” postgresql localhost 5433 user=u db=books"#]],
    );
    check(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  DB_PASSWORD: cHc=\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  DB_HOST: db.example\n  DB_USER: u\n",
        expect!["“db.example” postgresql db.example user=u password=pw"],
    );
    check(
        r#"{"mcpServers": {"notion": {"url": "https://mcp.example/mcp", "headers": {"Authorization": "Bearer k"}},
            "bridged": {"command": "npx", "args": ["mcp-remote", "https://b.example/sse", "--header", "Authorization: Bearer ${K}"], "env": {"K": "k2"}},
            "local": {"command": "node", "args": ["x.js"]}}}"#,
        expect![[r#"
            “bridged” mcp https://b.example/sse key=k2
            “notion” mcp https://mcp.example/mcp key=k"#]],
    );
    check(
        r#"{"servers": {"notion": {"type": "http", "url": "https://mcp.example/mcp", "headers": {"Authorization": "Bearer ${input:key}"}}}}"#,
        expect!["“notion” mcp https://mcp.example/mcp"],
    );
    check(
        include_str!("../../../data/endpoints.example.toml"),
        expect![[r#"
        “Books” postgresql db.example.com 5432 user=reader db=books tls=verify-full
        “Books, replica” postgresql replica.example.com user=reader db=books
        “Supabase Production” supabase db.abcdefghijklmnopqrst.supabase.co user=postgres db=postgres
        “Odoo” odoo 10.0.0.5 user=odoo db=finance web=https://odoo.example.com
        “Shop” mysql mariadb.example.com user=shop db=shop tls=require
        “Superset” superset https://bi.example.com/ user=monitor
        “Notion MCP” mcp https://mcp.example.com/mcp
        “Tax portal” api https://api.example.com/status sign_in=header header=X-Api-Key"#]],
    );
}

#[test]
fn what_is_none_of_these() {
    check(" \n", expect!["error: There is nothing in the text."]);
    check(
        "hello world",
        expect![
            "error: No connection was found in the text. Paste a URL such as postgresql://user@db.example.com:5432/name, a JDBC, .NET or libpq connection string, a psql or curl command, or a .env, Compose, Kubernetes, pg_service.conf, odoo.conf or MCP configuration file."
        ],
    );
    check(
        "{\"a\": ",
        expect![
            "error: The text looks like JSON, and is not whole: it ends too early, or a quote or bracket is missing."
        ],
    );
    check(
        &"x".repeat(300_000),
        expect!["error: The text is longer than 256 KiB."],
    );
    check(
        "postgresql://u:canary@a,b/books",
        expect!["error: It names several servers; one URL is one endpoint."],
    );
}

#[test]
fn a_variable_may_begin_with_any_letter_where_the_form_lets_it() {
    check(
        "services:\n  app:\n    environment:\n      ÄRGER_URL: https://a.example\n",
        expect!["“ÄRGER” api https://a.example/"],
    );
}

#[test]
fn a_dollar_that_is_escaped_refers_to_nothing() {
    check(
        "P=s3\nA=\"x\\${P}\"\nB='${P}'\nC=${B}${P}\n",
        expect![[r#"
            P="s3"
            A="x${P}"
            B="${P}"
            C="${P}s3""#]],
    );
}

#[test]
fn references_to_references_do_not_grow_without_end() {
    let mut text = "A0=xxxxxxxxxx\n".to_owned();
    for line in 1..=20 {
        let before = line - 1;
        text += &format!("A{line}=${{A{before}}}${{A{before}}}\n");
    }
    let variables = parse(&text).expect("a .env file").variables;
    let length: usize = variables
        .iter()
        .map(|(_, value)| value.expose_secret().len())
        .sum();
    assert_eq!((variables.len(), variables[1].1.expose_secret().len()), (21, 20));
    assert!(length < 2 * 1024 * 1024, "{length}");
}

#[test]
fn what_is_made_of_ever_so_many_variables_is_bounded() {
    let of = |line: fn(usize) -> String| {
        let text: String = (0..6_000).map(line).collect();
        let begun = std::time::Instant::now();
        let connections = parse(&text).expect("a .env file").connections.len();
        // Quadratic, it is more, even of a file that is half as long as may be.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
        connections
    };
    assert_eq!(of(|number| format!("P{number}_URL=http://a\n")), 1000);
    assert_eq!(of(|number| format!("# h{number}\nP{number}_HOST=a\n")), 1000);
    assert_eq!(of(|number| format!("P{number}=${{\n")), 0);
}
