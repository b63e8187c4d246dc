//! Details for whoever looks for the cause: `ResourceInfo`, `RequestInfo`, `DebugInfo`.

use super::{coded_as, proto};

/// `google.rpc.ResourceInfo`: what could not be accessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// Its type, `shop.v1.Article`.
    pub resource_type: String,
    /// Its name; without it, if the caller may not know it.
    pub resource_name: String,
    /// Whose it is, `user:jane`; may be empty.
    pub owner: String,
    /// What went wrong, for people.
    pub description: String,
}

impl ResourceInfo {
    /// A resource by type and name.
    pub fn new(resource_type: impl Into<String>, resource_name: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            resource_name: resource_name.into(),
            ..Self::default()
        }
    }

    /// Says whose it is.
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Says what went wrong.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// `google.rpc.RequestInfo`: what to quote when asking for help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestInfo {
    /// The request's id in the callee's logs.
    pub request_id: String,
    /// More of it, as the callee knows it; opaque.
    pub serving_data: String,
}

impl RequestInfo {
    /// A request by its id.
    pub fn new(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            serving_data: String::new(),
        }
    }
}

/// `google.rpc.DebugInfo`: where in the callee's code it failed. Not for callers outside of the house.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DebugInfo {
    /// The stack, innermost frame first.
    pub stack_entries: Vec<String>,
    /// More, for people.
    pub detail: String,
}

impl DebugInfo {
    /// With a text and no stack.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            stack_entries: Vec::new(),
            detail: detail.into(),
        }
    }

    /// Sets the stack, innermost frame first.
    pub fn with_stack(mut self, entries: impl IntoIterator<Item = String>) -> Self {
        self.stack_entries = entries.into_iter().collect();
        self
    }
}

coded_as!(ResourceInfo, proto::ResourceInfo, "ResourceInfo");
coded_as!(RequestInfo, proto::RequestInfo, "RequestInfo");
coded_as!(DebugInfo, proto::DebugInfo, "DebugInfo");

impl From<ResourceInfo> for proto::ResourceInfo {
    fn from(ours: ResourceInfo) -> Self {
        let ResourceInfo {
            resource_type,
            resource_name,
            owner,
            description,
        } = ours;
        Self {
            resource_type,
            resource_name,
            owner,
            description,
        }
    }
}

impl From<proto::ResourceInfo> for ResourceInfo {
    fn from(read: proto::ResourceInfo) -> Self {
        let proto::ResourceInfo {
            resource_type,
            resource_name,
            owner,
            description,
        } = read;
        Self {
            resource_type,
            resource_name,
            owner,
            description,
        }
    }
}

impl From<RequestInfo> for proto::RequestInfo {
    fn from(ours: RequestInfo) -> Self {
        Self {
            request_id: ours.request_id,
            serving_data: ours.serving_data,
        }
    }
}

impl From<proto::RequestInfo> for RequestInfo {
    fn from(read: proto::RequestInfo) -> Self {
        Self {
            request_id: read.request_id,
            serving_data: read.serving_data,
        }
    }
}

impl From<DebugInfo> for proto::DebugInfo {
    fn from(ours: DebugInfo) -> Self {
        Self {
            stack_entries: ours.stack_entries,
            detail: ours.detail,
        }
    }
}

impl From<proto::DebugInfo> for DebugInfo {
    fn from(read: proto::DebugInfo) -> Self {
        Self {
            stack_entries: read.stack_entries,
            detail: read.detail,
        }
    }
}
