//! A document that was refused, as plain text: without what tenants can shape, and with the reason.

use serde_json::Value;

/// The same document without the application's own fields and labels, and with `reason` in `error.message`. Without a
/// newline; `None` when the document is not JSON, which is a defect of ours.
pub(super) fn plain(document: &[u8], reason: &str) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(document).ok()?;
    let root = json.as_object_mut()?;
    root.remove("app");
    for object in ["kubernetes", "host"] {
        if let Some(object) = root.get_mut(object).and_then(Value::as_object_mut) {
            object.remove("labels");
            if let Some(node) = object.get_mut("node").and_then(Value::as_object_mut) {
                node.remove("labels");
            }
        }
    }
    root.insert("error".to_owned(), serde_json::json!({ "message": reason }));
    serde_json::to_vec(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_and_the_application_s_fields_go() {
        let document =
            br#"{"message":"a","app":{"x":1},"kubernetes":{"namespace":"n","labels":{"a":"b"}}}"#;
        let json: Value = serde_json::from_slice(&plain(document, "why \"so\"").unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "message": "a",
                "kubernetes": {"namespace": "n"},
                "error": {"message": "why \"so\""},
            })
        );
        assert!(plain(b"{", "").is_none());
    }
}
