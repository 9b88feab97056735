//! The templates of `data/templates/`, each with the view that it is written for.

use askama::Template;
use insightpulse_domain::{Kind, Way};

use crate::filters;
use crate::format::Format;
use crate::unwritable::Unwritable;
use crate::view::{Database, Http, View};

macro_rules! templates {
    ($( $view:ident: $($name:ident = $path:tt),* ; )*) => {$($(
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $name<'v> {
            it: &'v $view<'v>,
        }
    )*)*};
}

templates! {
    Database: Uri = "uri", Libpq = "libpq", Psql = "psql", Pgpass = "pgpass", PgService = "pg_service", Jdbc = "jdbc",
        DotnetPostgresql = "dotnet.postgresql", DotnetMysql = "dotnet.mysql", Sqlalchemy = "sqlalchemy",
        GoPostgresql = "go.postgresql", GoMysql = "go.mysql", NodePostgresql = "node.postgresql",
        NodeMysql = "node.mysql", PhpPostgresql = "php.postgresql", PhpMysql = "php.mysql",
        PythonPostgresql = "python.postgresql", PythonMysql = "python.mysql", Rust = "rust", Prisma = "prisma",
        PrismaUri = "prisma.uri", DrizzlePostgresql = "drizzle.postgresql", DrizzleMysql = "drizzle.mysql", OdooConf = "odoo-conf",
        SupabaseEnv = "supabase-env", NextjsEnv = "nextjs-env", SupersetDatabase = "superset-database",
        ComposeDatabase = "compose.database", ComposeServicePostgresql = "compose-service.postgresql",
        ComposeServiceMysql = "compose-service.mysql", MongodbUri = "mongodb.uri",
        ComposeServiceMongodb = "compose-service.mongodb";
    Http: Url = "url", ComposeHttp = "compose.http", ComposeServiceSuperset = "compose-service.superset";
    View: Env = "env", EnvExport = "env-export", EnvJson = "env-json", K8sConfigmap = "k8s-configmap",
        K8sSecret = "k8s-secret", Json = "json", Yaml = "yaml", Toml = "toml", McpServer = "mcp-server", Curl = "curl",
        PrometheusExporter = "prometheus.exporter", ComposeServiceReference = "compose-service.reference";
}

#[derive(Template)]
#[template(path = "prometheus.supabase", escape = "none")]
struct PrometheusSupabase<'v> {
    it: &'v Database<'v>,
    view: &'v View<'v>,
}

fn write(template: impl Template, out: &mut String) -> Result<(), Unwritable> {
    template.render_into(out).map_err(|error| match error {
        askama::Error::Custom(error) => match error.downcast::<Unwritable>() {
            Ok(unwritable) => *unwritable,
            Err(error) => unreachable!("no encoder and no view fails otherwise: {error}"),
        },
        error => unreachable!("a String takes everything: {error}"),
    })
}

/// A text whose encoders take everything.
fn text(template: impl Template) -> String {
    template.render().expect("its encoders take every text")
}

pub(crate) fn uri(it: &Database<'_>) -> String {
    match it.kind() {
        Kind::Mongodb => text(MongodbUri { it }),
        _ => text(Uri { it }),
    }
}

pub(crate) fn prisma_uri(it: &Database<'_>) -> String {
    text(PrismaUri { it })
}

pub(crate) fn libpq(it: &Database<'_>) -> String {
    text(Libpq { it })
}

pub(crate) fn sqlalchemy(it: &Database<'_>) -> String {
    text(Sqlalchemy { it })
}

/// Adds one endpoint's piece to a document, without the line break at its end; or nothing.
pub(crate) fn piece(format: Format, view: &View<'_>, out: &mut String) -> Result<(), Unwritable> {
    let kind = view.kind();
    if !format.fits(kind) {
        return Err(Unwritable::NotForKind { format, kind });
    }
    let before = out.len();
    let written = match view {
        View::Database(it) if kind == Kind::Mysql => of_mysql(format, it, out),
        View::Database(it) if kind == Kind::Mongodb => of_mongodb(format, it, out),
        View::Database(it) => of_postgresql(format, it, view, out),
        View::Http(it) => of_http(format, it, out),
    }
    .unwrap_or_else(|| of_any(format, view, out));
    if written.is_err() {
        out.truncate(before);
    }
    written
}

type Written = Option<Result<(), Unwritable>>;

fn of_postgresql(format: Format, it: &Database<'_>, view: &View<'_>, out: &mut String) -> Written {
    let by = |way, out: &mut String| it.by(way).map(|it| write(Uri { it: &it }, out));
    Some(match format {
        Format::Uri => write(Uri { it }, out),
        Format::UriDirect => return by(Way::Direct, out),
        Format::UriTransactionPooler => return by(Way::TransactionPooler, out),
        Format::UriSessionPooler => return by(Way::SessionPooler, out),
        Format::Libpq => write(Libpq { it }, out),
        Format::Psql => write(Psql { it }, out),
        Format::Pgpass => write(Pgpass { it }, out),
        Format::PgService => write(PgService { it }, out),
        Format::Jdbc => write(Jdbc { it }, out),
        Format::Dotnet => write(DotnetPostgresql { it }, out),
        Format::Sqlalchemy => write(Sqlalchemy { it }, out),
        Format::Go => write(GoPostgresql { it }, out),
        Format::Node => write(NodePostgresql { it }, out),
        Format::Php => write(PhpPostgresql { it }, out),
        Format::Python => write(PythonPostgresql { it }, out),
        Format::Rust => write(Rust { it }, out),
        Format::Prisma => write(Prisma { it }, out),
        Format::Drizzle => write(DrizzlePostgresql { it }, out),
        Format::OdooConf => write(OdooConf { it }, out),
        Format::SupabaseEnv => write(SupabaseEnv { it }, out),
        Format::NextjsEnv => write(NextjsEnv { it }, out),
        Format::SupersetDatabase => write(SupersetDatabase { it }, out),
        Format::Compose => write(ComposeDatabase { it }, out),
        // A hosted project is not started by anybody.
        Format::ComposeService if !it.is_supabase() => write(ComposeServicePostgresql { it }, out),
        Format::Prometheus if it.project().is_some() => write(PrometheusSupabase { it, view }, out),
        _ => return None,
    })
}

fn of_mysql(format: Format, it: &Database<'_>, out: &mut String) -> Written {
    Some(match format {
        Format::Uri | Format::MysqlUri => write(Uri { it }, out),
        Format::Jdbc => write(Jdbc { it }, out),
        Format::Dotnet => write(DotnetMysql { it }, out),
        Format::Sqlalchemy => write(Sqlalchemy { it }, out),
        Format::Go => write(GoMysql { it }, out),
        Format::Node => write(NodeMysql { it }, out),
        Format::Php => write(PhpMysql { it }, out),
        Format::Python => write(PythonMysql { it }, out),
        Format::Rust => write(Rust { it }, out),
        Format::Prisma => write(Prisma { it }, out),
        Format::Drizzle => write(DrizzleMysql { it }, out),
        Format::SupersetDatabase => write(SupersetDatabase { it }, out),
        Format::Compose => write(ComposeDatabase { it }, out),
        Format::ComposeService => write(ComposeServiceMysql { it }, out),
        _ => return None,
    })
}

fn of_mongodb(format: Format, it: &Database<'_>, out: &mut String) -> Written {
    Some(match format {
        Format::Uri | Format::MongodbUri => write(MongodbUri { it }, out),
        Format::Compose => write(ComposeDatabase { it }, out),
        Format::ComposeService => write(ComposeServiceMongodb { it }, out),
        _ => return None,
    })
}

fn of_http(format: Format, it: &Http<'_>, out: &mut String) -> Written {
    Some(match format {
        Format::Uri => write(Url { it }, out),
        Format::Compose => write(ComposeHttp { it }, out),
        Format::ComposeService if it.kind() == Kind::Superset => write(ComposeServiceSuperset { it }, out),
        _ => return None,
    })
}

fn of_any(format: Format, it: &View<'_>, out: &mut String) -> Result<(), Unwritable> {
    match format {
        Format::Env => write(Env { it }, out),
        Format::EnvExport => write(EnvExport { it }, out),
        Format::EnvJson => write(EnvJson { it }, out),
        Format::K8sConfigmap => write(K8sConfigmap { it }, out),
        Format::K8sSecret => write(K8sSecret { it }, out),
        Format::Json => write(Json { it }, out),
        Format::Yaml => write(Yaml { it }, out),
        Format::Toml => write(Toml { it }, out),
        Format::McpJson | Format::McpVscode | Format::McpClaudeCode => write(McpServer { it }, out),
        Format::Curl => write(Curl { it }, out),
        Format::Prometheus => write(PrometheusExporter { it }, out),
        Format::ComposeService => write(ComposeServiceReference { it }, out),
        format => Err(Unwritable::NotForKind {
            format,
            kind: it.kind(),
        }),
    }
}
