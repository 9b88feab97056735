//! JSON: MCP configurations, our own list of endpoints, and objects of variables.

use insightpulse_domain::Kind;
use serde_json::Value;

use crate::{Fields, Pasted, Unreadable, properties, shell, variables};

pub(crate) fn read(text: &str) -> Result<Pasted, Unreadable> {
    // The same bounds on nesting as anything else that is deserialized.
    let tree: Value = serde_json::from_str(text).map_err(|_| Unreadable::Broken("JSON"))?;
    let fields = properties::read(&tree).or_else(|| mcp(&tree));
    if let Some(fields) = fields {
        return Ok(Pasted {
            connections: fields.into_iter().filter_map(Fields::connection).collect(),
            variables: vec![],
        });
    }
    let variables: Vec<_> = tree
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    Ok(Pasted {
        connections: variables::connections(&variables, &[]),
        variables: vec![],
    })
}

/// `mcpServers` as most clients have it, `servers` as VS Code has.
fn mcp(tree: &Value) -> Option<Vec<Fields>> {
    let servers = ["mcpServers", "servers"]
        .iter()
        .find_map(|name| tree[*name].as_object())?;
    Some(
        servers
            .iter()
            .filter_map(|(name, server)| of_server(name, server))
            .collect(),
    )
}

fn of_server(name: &str, server: &Value) -> Option<Fields> {
    let mut fields = Fields {
        name: Some(name.to_owned()),
        ..Fields::of(Kind::Mcp)
    };
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    let arguments = texts(&server["args"]);
    let url = ["url", "serverUrl", "httpUrl"]
        .iter()
        .find_map(|key| server[*key].as_str());
    // A bridge is started, and told the address: `npx mcp-remote https://… --header …`.
    let bridged = || {
        arguments
            .iter()
            .find(|word| word.starts_with("http://") || word.starts_with("https://"))
    };
    fields.server = Some(url.or_else(|| bridged().map(String::as_str))?.to_owned());
    let mut lines: Vec<String> = server["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?)))
        .collect();
    let pairs = arguments.windows(2);
    lines.extend(
        pairs
            .filter(|pair| pair[0] == "--header")
            .map(|pair| pair[1].clone()),
    );
    for line in lines {
        // What is said of the surroundings is what a bridge's command refers to.
        let line = server["env"]
            .as_object()
            .into_iter()
            .flatten()
            .fold(line, |line, (name, value)| {
                line.replace(&format!("${{{name}}}"), value.as_str().unwrap_or_default())
            });
        shell::header(&mut fields, &line);
    }
    // How an MCP server takes its key is not a choice.
    (fields.sign_in, fields.key_header) = (None, None);
    Some(fields)
}
