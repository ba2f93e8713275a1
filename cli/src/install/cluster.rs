//! The index template, and how long logs are kept: on Elasticsearch by index lifecycle management, on OpenSearch by index
//! state management.
//!
//! The template is the collector's own, so both put the same there. What someone else has put there stays.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use collector::ship::elasticsearch::template::{self, Engine, VERSION};
use elastic::{Answer, Client, Method};
use serde_json::Value;

use self::policy::Policy;
use super::{Change, Step, difference};
use crate::args::install::{DeleteAfter, InstallElasticsearch};
use crate::failure::WrongUse;
use crate::place::Place;
use crate::settings;

mod policy;

/// What a new policy has where nothing else was asked for.
const DAYS: u32 = 30;

pub(super) async fn install(
    place: &Place,
    args: InstallElasticsearch,
) -> anyhow::Result<Vec<Step>> {
    let settings = place.elasticsearch().ok_or_else(|| {
        WrongUse::new("no cluster is named: give --elasticsearch URL, or set elasticsearch.urls")
    })?;
    let client = Client::new(&settings)?;
    let about = template::about(&client)
        .await?
        .map_err(|answer| refused("/", &answer))?;
    let layout = settings::layout(&place.config.elasticsearch);
    let before = template::found(&client, &layout)
        .await?
        .map_err(|answer| refused("the index template", &answer))?;
    let policy = Policy::new(about.engine, &layout);
    let (policy_step, has_policy) = keep_for(&client, &policy, args).await?;
    let mut wanted = template::template(&layout, about.engine);
    let theirs = before.as_ref().and_then(template::lifecycle);
    let name = match args.delete_after {
        _ if about.engine == Engine::OpenSearch => None,
        Some(DeleteAfter::Never) => None,
        // Another policy than ours is somebody's choice.
        None if theirs.is_some() => theirs,
        _ => has_policy.then_some(policy::NAME),
    };
    template::set_lifecycle(&mut wanted, name);
    let change = judge(before.as_ref(), &wanted);
    if !args.dry_run && matches!(change, Change::Create | Change::Update(_)) {
        template::put(&client, &layout, &wanted)
            .await?
            .map_err(|answer| refused("the index template", &answer))?;
    }
    let template_step = Step {
        what: format!(
            "index template {} ({})",
            layout.template_name(),
            layout.pattern()
        ),
        change,
    };
    Ok(vec![policy_step, template_step])
}

/// Sees to the policy; tells whether there is one in the end.
async fn keep_for(
    client: &Client,
    policy: &Policy,
    args: InstallElasticsearch,
) -> anyhow::Result<(Step, bool)> {
    let answer = client.send(Method::Get, &policy.path(), None).await?;
    let before = match answer.status {
        404 => None,
        200 => Some(answer.json().context("read the lifecycle policy")?),
        // Servers that lack the feature know no such address.
        400 | 405 if args.delete_after.is_none() => {
            let why =
                "this server has no lifecycle management, so logs stay until somebody deletes them"
                    .to_owned();
            return Ok((
                Step {
                    what: policy::what(None),
                    change: Change::Kept(why),
                },
                false,
            ));
        }
        _ => return Err(refused("the lifecycle policy", &answer)),
    };
    let days = match args.delete_after {
        None => policy.days(before.as_ref()).unwrap_or(DAYS),
        Some(DeleteAfter::Days(days)) => days,
        Some(DeleteAfter::Never) => {
            return never(client, policy, before.as_ref(), args.dry_run).await;
        }
    };
    let wanted = policy.body(days);
    let change = match &before {
        Some(_) if args.delete_after.is_none() => Change::Same,
        before => Change::between(
            before.as_ref().map(|found| policy.content(found)),
            &wanted["policy"],
        ),
    };
    if !args.dry_run && matches!(change, Change::Create | Change::Update(_)) {
        let path = policy.path_to_write(before.as_ref());
        let answer = client
            .send(Method::Put, &path, Some(Bytes::from(wanted.to_string())))
            .await?;
        if !answer.is_success() {
            return Err(refused("the lifecycle policy", &answer));
        }
    }
    let days = if before.is_some() && args.delete_after.is_none() {
        policy.days(before.as_ref())
    } else {
        Some(days)
    };
    Ok((
        Step {
            what: policy::what(days),
            change,
        },
        true,
    ))
}

/// Takes away what would delete logs. A policy of Elasticsearch does nothing without the template; one of OpenSearch takes
/// hold by its own pattern.
async fn never(
    client: &Client,
    policy: &Policy,
    before: Option<&Value>,
    dry_run: bool,
) -> anyhow::Result<(Step, bool)> {
    let change = match (before, policy.engine) {
        (None, _) => Change::Same,
        (Some(_), Engine::Elasticsearch) => Change::Kept("no new index gets it".to_owned()),
        (Some(_), Engine::OpenSearch) => Change::Remove,
    };
    if change == Change::Remove && !dry_run {
        let answer = client.send(Method::Delete, &policy.path(), None).await?;
        if !answer.is_success() {
            return Err(refused("the lifecycle policy", &answer));
        }
    }
    Ok((
        Step {
            what: policy::what(None),
            change,
        },
        false,
    ))
}

/// What has to be done about the template.
fn judge(before: Option<&Value>, wanted: &Value) -> Change {
    let Some(before) = before else {
        return Change::Create;
    };
    match before.get("version").and_then(Value::as_u64) {
        None => Change::Kept("it has no version, so it is somebody's own".to_owned()),
        Some(version) if version > VERSION => {
            Change::Kept(format!("version {version} is newer than ours, {VERSION}"))
        }
        Some(version) if version < VERSION => {
            Change::Update(format!("version {version} becomes {VERSION}"))
        }
        Some(_) => {
            let names = (template::lifecycle(before), template::lifecycle(wanted));
            if names.0 != names.1 {
                let name = |name: Option<&str>| name.unwrap_or("none").to_owned();
                return Change::Update(format!(
                    "lifecycle policy {} becomes {}",
                    name(names.0),
                    name(names.1)
                ));
            }
            match difference::places(&as_shown(wanted), &as_shown(before)).as_slice() {
                [] => Change::Same,
                [first, ..] => Change::Update(format!("differs at {first}")),
            }
        }
    }
}

/// As a server shows it: settings are texts there.
fn as_shown(template: &Value) -> Value {
    fn texts(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(texts),
            Value::Array(items) => items.iter_mut().for_each(texts),
            Value::Number(_) | Value::Bool(_) => *value = Value::String(value.to_string()),
            Value::Null | Value::String(_) => {}
        }
    }
    let mut template = template.clone();
    texts(&mut template);
    template
}

fn refused(what: &str, answer: &Answer) -> anyhow::Error {
    anyhow!("the cluster refused {what}: {}", answer.complaint())
}

#[cfg(test)]
mod tests {
    use collector::ship::elasticsearch::Layout;
    use serde_json::json;

    use super::*;

    fn ours() -> Value {
        template::template(
            &Layout::Index {
                prefix: "nodetap".to_owned(),
            },
            Engine::Elasticsearch,
        )
    }

    #[test]
    fn a_template_as_a_server_shows_it_is_ours() {
        let mut shown = ours();
        shown["template"]["settings"]["index"]["number_of_shards"] = json!("1");
        shown["composed_of"] = json!([]);
        assert_eq!(judge(Some(&shown), &ours()), Change::Same);
        assert_eq!(judge(None, &ours()), Change::Create);
    }

    #[test]
    fn another_template_is_kept_and_an_old_one_is_not() {
        let with = |version: Value| {
            let mut template = ours();
            template["version"] = version;
            judge(Some(&template), &ours())
        };
        assert!(matches!(with(Value::Null), Change::Kept(_)));
        assert!(matches!(with(json!(VERSION + 1)), Change::Kept(_)));
        assert!(matches!(with(json!(0)), Change::Update(_)));
        let mut changed = ours();
        changed["template"]["settings"]["index"]["refresh_interval"] = json!("1h");
        assert!(matches!(judge(Some(&changed), &ours()), Change::Update(_)));
        let mut kept = ours();
        template::set_lifecycle(&mut kept, Some("theirs"));
        let Change::Update(why) = judge(Some(&kept), &ours()) else {
            panic!("a lifecycle counts");
        };
        assert_eq!(why, "lifecycle policy theirs becomes none");
    }
}
