//! AdmissionReviews as they are written: what is read of a request, and what is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lifecycle::json::{Object, Str, null_as_default};

/// The envelope, read with the object inside as `T`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Envelope<'a, T> {
    #[serde(borrow, default)]
    pub(super) api_version: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) request: Object<Request<'a, T>>,
}

/// `request` of a review.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Request<'a, T> {
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) resource: Object<Resource<'a>>,
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) sub_resource: Str<'a>,
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) name: Str<'a>,
    #[serde(borrow, default)]
    pub(super) namespace: Option<Str<'a>>,
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) operation: Str<'a>,
    pub(super) object: Option<T>,
    /// The object before an update; nobody reads a pod's.
    #[serde(borrow, default)]
    pub(super) old_object: Option<&'a RawValue>,
}

/// The resource that a request is about.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) group: Str<'a>,
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub(super) resource: Str<'a>,
}

/// A request of which nothing but the uid can be read.
#[derive(Debug, Deserialize)]
pub(super) struct OnlyUid<'a> {
    #[serde(borrow)]
    pub(super) request: Object<Uid<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Uid<'a> {
    #[serde(borrow)]
    pub(super) uid: Str<'a>,
}

/// The AdmissionReview that is sent. Our own type: the client library's writes the patch as a list of
/// numbers (kube-rs issue 1781).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply<'r> {
    pub(super) api_version: &'r str,
    pub(super) kind: &'static str,
    pub(super) response: Response<'r>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'r> {
    pub(super) uid: &'r str,
    pub(super) allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) audit_annotations: BTreeMap<&'static str, String>,
}

impl<'a, T> Request<'a, T> {
    /// The same request around another reading of its object.
    pub(super) fn map<U>(self, object: impl FnOnce(T) -> U) -> Request<'a, U> {
        Request {
            uid: self.uid,
            resource: self.resource,
            sub_resource: self.sub_resource,
            name: self.name,
            namespace: self.namespace,
            operation: self.operation,
            object: self.object.map(object),
            old_object: self.old_object,
        }
    }
}
