//! Can lines get into Elasticsearch? Asked as the collector would ask, without writing anything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use collector::ship::elasticsearch::template::{self, About};
use elastic::{Answer, Auth, Client, Method, SendError, Settings, SetupError};
use serde_json::{Value, json};

use self::judge::{blocks, health, nodes, settings as cluster_settings, standing, version};
use super::Finding;
use crate::place::Place;
use crate::settings;

mod judge;

/// One question may take this long; the collector is more patient.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at every host and then at the cluster as a whole; nothing where lines are kept in the store.
pub(super) fn look(place: &Place) -> Vec<Finding> {
    let Some(cluster) = place.elasticsearch() else {
        return Vec::new();
    };
    let cluster = Settings {
        timeout: cluster.timeout.min(PATIENCE),
        ..cluster
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("Elasticsearch can't be asked: {error}");
            return vec![Finding::fail(what, "mend what it names, and check again")];
        }
    };
    runtime.block_on(ask(place, &cluster))
}

async fn ask(place: &Place, cluster: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut about = None;
    for url in &cluster.urls {
        let one = Settings {
            urls: vec![url.clone()],
            ..cluster.clone()
        };
        let (finding, found) = host(url, &one).await;
        findings.push(finding);
        about = about.or(found);
    }
    let (Some(about), Ok(client)) = (about, Client::new(cluster)) else {
        return findings;
    };
    findings.push(version(&about));
    let layout = settings::layout(&place.config.elasticsearch);
    let found = template::standing(&client, &layout).await;
    findings.push(match found {
        Ok(Ok(found)) => standing(&found, &layout, place.config.elasticsearch.template),
        Ok(Err(answer)) => Finding::warn(
            format!(
                "whether the index template is there is not told: {}",
                answer.complaint()
            ),
            "the user needs the cluster right to read index templates",
        ),
        Err(error) => unanswered("the index template", &error),
    });
    let pattern = layout.pattern();
    let health_path = "/_cluster/health?filter_path=status,unassigned_primary_shards&timeout=5s";
    findings.extend(question(&client, health_path, "the cluster's health", health).await);
    let settings_path = "/_cluster/settings?include_defaults=true&flat_settings=true&filter_path=\
                         *.action.auto_create_index,*.cluster.blocks*";
    findings.extend(
        question(&client, settings_path, "the cluster's settings", |answer| {
            cluster_settings(answer, &layout)
        })
        .await,
    );
    let blocks_path = format!(
        "/{pattern}/_settings/index.blocks.*?flat_settings=true&expand_wildcards=all&ignore_unavailable=true"
    );
    findings.extend(question(&client, &blocks_path, "the indices' blocks", blocks).await);
    let nodes_path = "/_nodes/stats/fs?filter_path=nodes.*.name,nodes.*.timestamp,nodes.*.fs.total";
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    findings.extend(
        question(&client, nodes_path, "the nodes' disks", |answer| {
            nodes(answer, now)
        })
        .await,
    );
    findings.extend(rights(&client, &about, &pattern).await);
    findings
}

/// Whether a host answers as what it should be.
async fn host(url: &str, settings: &Settings) -> (Finding, Option<About>) {
    let client = match Client::new(settings) {
        Ok(client) => client,
        Err(error) => return (setup(&error), None),
    };
    if let Err(error) = client.read_credentials() {
        let mend = "make the file readable for the user that runs nodetap";
        return (Finding::fail(error.to_string(), mend), None);
    }
    match template::about(&client).await {
        Ok(Ok(about)) => {
            let what = format!("{url} answers: {:?} {}", about.engine, about.version);
            (Finding::ok(what), Some(about))
        }
        Ok(Err(answer)) => (refused(url, &answer, &settings.auth), None),
        Err(error) => {
            let text = error.to_string();
            let mend = if text.contains("certificate") || text.contains("UnknownIssuer") {
                "set elasticsearch.ca_file to the authority that signed the cluster's certificate"
            } else if text.contains("InvalidContentType") || text.contains("corrupt message") {
                "the port speaks plain HTTP: write http:// in the URL, or enable TLS there"
            } else {
                "look whether it runs, and whether address, port and firewall are right"
            };
            (Finding::fail(text, mend), None)
        }
    }
}

fn setup(error: &SetupError) -> Finding {
    let mend = match error {
        SetupError::ReadAuthority { .. } | SetupError::Authority { .. } => {
            "elasticsearch.ca_file must be a readable PEM file of certificates"
        }
        SetupError::NoHost | SetupError::Url(_) | SetupError::Prepare { .. } => {
            "mend elasticsearch.urls"
        }
    };
    let text = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    Finding::fail(text, mend)
}

fn refused(url: &str, answer: &Answer, auth: &Auth) -> Finding {
    let what = format!("{url} refuses us: {}", answer.complaint());
    let mend = match (answer.status, auth) {
        (401, Auth::None) => {
            "set elasticsearch.user and password_file, or elasticsearch.api_key_file"
        }
        (401, Auth::Basic { .. }) => {
            "name or password is wrong: mend elasticsearch.user or its password"
        }
        (401, Auth::ApiKey(_)) => "the API key is wrong, expired or invalidated: make a new one",
        (403, _) => "the user needs the cluster right `monitor`",
        (200, _) => "this is no Elasticsearch and no OpenSearch: mend elasticsearch.urls",
        _ => "look at the cluster's log, and at what stands between it and us",
    };
    Finding::fail(what, mend)
}

fn unanswered(what: &str, error: &SendError) -> Finding {
    Finding::warn(
        format!("{what} can't be asked for: {error}"),
        "check again; if it stays, look at the cluster's log",
    )
}

/// Asks, and has the answer judged. What we may not ask is no problem of the cluster.
async fn question(
    client: &Client,
    path: &str,
    about: &str,
    judge: impl FnOnce(&Value) -> Vec<Finding>,
) -> Vec<Finding> {
    match client.send(Method::Get, path, None).await {
        Ok(answer) if answer.is_success() => match answer.json() {
            Some(json) => judge(&json),
            None => vec![Finding::warn(
                format!("the answer about {about} is not JSON"),
                "look at what stands between the cluster and us",
            )],
        },
        // No index is there yet.
        Ok(answer) if answer.status == 404 => Vec::new(),
        Ok(answer) => vec![Finding::warn(
            format!("{about}: {}", answer.complaint()),
            "give the user the right `monitor`, or pass over this",
        )],
        Err(error) => vec![unanswered(about, &error)],
    }
}

/// Whether documents may be created; only Elasticsearch with security has an answer to that.
async fn rights(client: &Client, about: &About, pattern: &str) -> Option<Finding> {
    if about.engine != template::Engine::Elasticsearch {
        return None;
    }
    let wanted = json!({ "index": [{
        "names": [pattern],
        "privileges": ["create_doc", "auto_configure"],
    }]});
    let body = Bytes::from(wanted.to_string());
    let path = "/_security/user/_has_privileges";
    let answer = client.send(Method::Post, path, Some(body)).await.ok()?;
    let json = answer.json().filter(|_| answer.is_success())?;
    Some(judge::rights(&json, pattern))
}
