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
        PythonPostgresql = "python.postgresql", PythonMysql = "python.mysql", Rust = "rust", Prisma = "prisma", PrismaUri = "prisma.uri",
        DrizzlePostgresql = "drizzle.postgresql", DrizzleMysql = "drizzle.mysql", OdooConf = "odoo-conf",
        SupabaseEnv = "supabase-env", NextjsEnv = "nextjs-env", SupersetDatabase = "superset-database",
        ComposeDatabase = "compose.database", ComposeServicePostgresql = "compose-service.postgresql",
        ComposeServiceMysql = "compose-service.mysql";
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

fn write(template: impl Template) -> Result<String, Unwritable> {
    template.render().map_err(|error| match error {
        askama::Error::Custom(error) => match error.downcast::<Unwritable>() {
            Ok(unwritable) => *unwritable,
            Err(error) => unreachable!("no encoder and no view fails otherwise: {error}"),
        },
        error => unreachable!("a String takes everything: {error}"),
    })
}

const ALWAYS: &str = "its encoders take every text";

pub(crate) fn uri(it: &Database<'_>) -> String {
    write(Uri { it }).expect(ALWAYS)
}

pub(crate) fn prisma_uri(it: &Database<'_>) -> String {
    write(PrismaUri { it }).expect(ALWAYS)
}

pub(crate) fn libpq(it: &Database<'_>) -> String {
    write(Libpq { it }).expect(ALWAYS)
}

pub(crate) fn sqlalchemy(it: &Database<'_>) -> String {
    write(Sqlalchemy { it }).expect(ALWAYS)
}

/// One endpoint's piece of a document, without the line break at its end.
pub(crate) fn piece(format: Format, view: &View<'_>) -> Result<String, Unwritable> {
    let kind = view.kind();
    if !format.fits(kind) {
        return Err(Unwritable::NotForKind { format, kind });
    }
    match view {
        View::Database(it) if kind == Kind::Mysql => of_mysql(format, it),
        View::Database(it) => of_postgresql(format, it, view),
        View::Http(it) => of_http(format, it),
    }
    .unwrap_or_else(|| of_any(format, view))
}

type Written = Option<Result<String, Unwritable>>;

fn of_postgresql(format: Format, it: &Database<'_>, view: &View<'_>) -> Written {
    let by = |way| it.by(way).map(|it| write(Uri { it: &it }));
    Some(match format {
        Format::Uri => write(Uri { it }),
        Format::UriDirect => return by(Way::Direct),
        Format::UriTransactionPooler => return by(Way::TransactionPooler),
        Format::UriSessionPooler => return by(Way::SessionPooler),
        Format::Libpq => write(Libpq { it }),
        Format::Psql => write(Psql { it }),
        Format::Pgpass => write(Pgpass { it }),
        Format::PgService => write(PgService { it }),
        Format::Jdbc => write(Jdbc { it }),
        Format::Dotnet => write(DotnetPostgresql { it }),
        Format::Sqlalchemy => write(Sqlalchemy { it }),
        Format::Go => write(GoPostgresql { it }),
        Format::Node => write(NodePostgresql { it }),
        Format::Php => write(PhpPostgresql { it }),
        Format::Python => write(PythonPostgresql { it }),
        Format::Rust => write(Rust { it }),
        Format::Prisma => write(Prisma { it }),
        Format::Drizzle => write(DrizzlePostgresql { it }),
        Format::OdooConf => write(OdooConf { it }),
        Format::SupabaseEnv => write(SupabaseEnv { it }),
        Format::NextjsEnv => write(NextjsEnv { it }),
        Format::SupersetDatabase => write(SupersetDatabase { it }),
        Format::Compose => write(ComposeDatabase { it }),
        // A hosted project is not started by anybody.
        Format::ComposeService if !it.is_supabase() => write(ComposeServicePostgresql { it }),
        Format::Prometheus if it.project().is_some() => write(PrometheusSupabase { it, view }),
        _ => return None,
    })
}

fn of_mysql(format: Format, it: &Database<'_>) -> Written {
    Some(match format {
        Format::Uri | Format::MysqlUri => write(Uri { it }),
        Format::Jdbc => write(Jdbc { it }),
        Format::Dotnet => write(DotnetMysql { it }),
        Format::Sqlalchemy => write(Sqlalchemy { it }),
        Format::Go => write(GoMysql { it }),
        Format::Node => write(NodeMysql { it }),
        Format::Php => write(PhpMysql { it }),
        Format::Python => write(PythonMysql { it }),
        Format::Rust => write(Rust { it }),
        Format::Prisma => write(Prisma { it }),
        Format::Drizzle => write(DrizzleMysql { it }),
        Format::SupersetDatabase => write(SupersetDatabase { it }),
        Format::Compose => write(ComposeDatabase { it }),
        Format::ComposeService => write(ComposeServiceMysql { it }),
        _ => return None,
    })
}

fn of_http(format: Format, it: &Http<'_>) -> Written {
    Some(match format {
        Format::Uri => write(Url { it }),
        Format::Compose => write(ComposeHttp { it }),
        Format::ComposeService if it.kind() == Kind::Superset => write(ComposeServiceSuperset { it }),
        _ => return None,
    })
}

fn of_any(format: Format, it: &View<'_>) -> Result<String, Unwritable> {
    match format {
        Format::Env => write(Env { it }),
        Format::EnvExport => write(EnvExport { it }),
        Format::EnvJson => write(EnvJson { it }),
        Format::K8sConfigmap => write(K8sConfigmap { it }),
        Format::K8sSecret => write(K8sSecret { it }),
        Format::Json => write(Json { it }),
        Format::Yaml => write(Yaml { it }),
        Format::Toml => write(Toml { it }),
        Format::McpJson | Format::McpVscode | Format::McpClaudeCode => write(McpServer { it }),
        Format::Curl => write(Curl { it }),
        Format::Prometheus => write(PrometheusExporter { it }),
        Format::ComposeService => write(ComposeServiceReference { it }),
        format => Err(Unwritable::NotForKind {
            format,
            kind: it.kind(),
        }),
    }
}
