//! Can it be served as the web-config file says? Its keys, certificates and hashes.

use super::Finding;
use crate::place::Place;
use crate::web::Web;

pub(super) fn look(place: &Place) -> Option<Finding> {
    let path = place.config.web_config.as_deref()?;
    Some(match Web::load(Some(path)) {
        Ok(_) => Finding::ok(format!("the web-config {} is right", path.display())),
        Err(error) => Finding::fail(
            format!("{:#}", anyhow::Error::new(error)),
            "mend it: nodetap does not start with it",
        ),
    })
}
