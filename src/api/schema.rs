//! Parts of the schemas that several kinds have.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The pattern of the names of objects.
pub(super) const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The pattern of DNS labels.
pub(super) const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A date or a time.
pub(super) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][0-9]{2}:[0-9]{2}))?$')",
            "message": "must be a date such as 2027-01-31 or an RFC 3339 time of whole seconds such as 2027-01-31T09:00:00Z",
        }],
    })
}

/// Facet name → field → value.
pub(super) fn facet_fields(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    })
}

/// The pattern of an ISO 8601 duration with at least one part.
const DURATION_PATTERN: &str =
    r"^P([0-9]{1,5}Y)?([0-9]{1,5}M)?([0-9]{1,5}W)?([0-9]{1,7}D)?(T([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,10}S)?)?$";

/// A duration.
pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 3,
        "maxLength": 64,
        "x-kubernetes-validations": [{
            "rule": format!("self.matches('{DURATION_PATTERN}') && !self.endsWith('T')"),
            "message": "must be an ISO 8601 duration of whole numbers such as P1Y, P30D, P1M2W or PT12H",
        }],
    })
}

/// A list of durations.
pub(super) fn durations(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 16, "items": duration(generator), "x-kubernetes-list-type": "atomic" })
}
