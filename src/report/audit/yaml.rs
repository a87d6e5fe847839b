//! The report as YAML: the same document as in JSON.

use serde::ser::Error as _;

use super::json::json;
use crate::audit::Report;

/// A report as YAML.
///
/// # Errors
/// Where the document cannot be written, which no report is known to cause.
pub fn yaml(report: &Report) -> Result<String, serde_json::Error> {
    // By way of JSON, so that both are written from the same values.
    let value = serde_json::to_value(json(report))?;
    serde_saphyr::to_string(&value).map_err(serde_json::Error::custom)
}
