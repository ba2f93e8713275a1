//! Before the first document: what is the cluster, and does it have our template?

use std::sync::Arc;
use std::time::{Duration, Instant};

use elastic::{Answer, Client, SendError};
use tokio::sync::watch;

use super::super::layout::Layout;
use super::super::pace::{Breaker, UNREACHABLE_PAUSE_MAX};
use super::super::template::{self, Engine, Standing, TemplatePolicy};

/// How often a cluster that answers is asked before documents go without a template.
const REFUSALS_MAX: u32 = 4;
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// What keeps documents from going.
enum Trouble {
    /// No answer, or one that documents would get as well.
    Unreachable(String),
    /// The template can't be had.
    Refused(String),
}

/// Makes sure of the template, and tries for as long as nothing could be sent anyway. A template that can't be had is a
/// warning, never a stop. `trouble` gets what is waited for.
pub(super) async fn introduce(
    client: Arc<Client>,
    layout: Layout,
    policy: TemplatePolicy,
    trouble: watch::Sender<Option<String>>,
) {
    let mut breaker = Breaker::default();
    let mut refusals = 0;
    loop {
        let pause = match attempt(&client, &layout, policy).await {
            Ok(()) => break,
            Err(Trouble::Unreachable(text)) => {
                if breaker.trouble() != Some(&text) {
                    tracing::warn!(
                        reason = %text,
                        "the cluster does not answer: the files hold the lines, trying again"
                    );
                }
                let now = Instant::now();
                breaker.trip(now, UNREACHABLE_PAUSE_MAX, text.clone());
                breaker.probe();
                trouble.send_replace(Some(text));
                breaker.pause(now)
            }
            Err(Trouble::Refused(text)) if refusals < REFUSALS_MAX => {
                refusals += 1;
                trouble.send_replace(Some(format!("index template: {text}")));
                REFUSED_PAUSE * refusals
            }
            Err(Trouble::Refused(text)) => {
                tracing::warn!(
                    reason = %text,
                    "cannot make sure of the index template: going on, but fields may get other types"
                );
                break;
            }
        };
        tokio::time::sleep(pause).await;
    }
    trouble.send_replace(None);
}

async fn attempt(client: &Client, layout: &Layout, policy: TemplatePolicy) -> Result<(), Trouble> {
    let missing = match template::standing(client, layout)
        .await
        .map_err(|error| unreachable(&error))?
    {
        Ok(Standing::Present) => return Ok(()),
        Ok(Standing::Missing) => "it is missing".to_owned(),
        Ok(Standing::Outdated(version)) => format!("it is of version {version}"),
        Err(answer) => complaint(&answer, policy == TemplatePolicy::Verify)?,
    };
    if policy == TemplatePolicy::Verify {
        return Err(Trouble::Refused(missing));
    }
    let engine = match template::about(client)
        .await
        .map_err(|error| unreachable(&error))?
    {
        Ok(about) => {
            tracing::info!(engine = ?about.engine, version = about.version, "connected");
            about.engine
        }
        Err(answer) => {
            let why = complaint(&answer, false)?;
            tracing::warn!(reason = %why, "the cluster does not say what it is: taking it for Elasticsearch");
            Engine::Elasticsearch
        }
    };
    match template::install(client, layout, engine)
        .await
        .map_err(|error| unreachable(&error))?
    {
        Ok(()) => {
            tracing::info!(name = layout.template_name(), "index template installed");
            Ok(())
        }
        Err(answer) => complaint(&answer, true).map(drop),
    }
}

fn unreachable(error: &SendError) -> Trouble {
    Trouble::Unreachable(error.to_string())
}

/// What documents would get as well is waited for; a mere refusal is an error only if it is `final`.
fn complaint(answer: &Answer, is_final: bool) -> Result<String, Trouble> {
    let text = answer.complaint();
    match answer.status {
        401 | 429 | 500.. => Err(Trouble::Unreachable(text)),
        _ if is_final => Err(Trouble::Refused(text)),
        _ => Ok(text),
    }
}
