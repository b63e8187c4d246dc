//! Details that list what is wrong: `BadRequest`, `PreconditionFailure`, `QuotaFailure`.

use super::{coded_as, proto};

/// `google.rpc.BadRequest`: which fields of the request are wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadRequest {
    /// One for each field that is wrong.
    pub violations: Vec<FieldViolation>,
}

impl BadRequest {
    /// With these fields.
    pub fn new(violations: impl IntoIterator<Item = FieldViolation>) -> Self {
        Self {
            violations: violations.into_iter().collect(),
        }
    }
}

/// A field that is wrong, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The path to it, `lines[2].sku`.
    pub field: String,
    /// What is wrong, for people.
    pub description: String,
    /// What is wrong, for machines, `UPPER_SNAKE_CASE`; empty if not said.
    pub reason: String,
}

impl FieldViolation {
    /// A field, and what is wrong with it.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
            reason: String::new(),
        }
    }

    /// Adds what is wrong for machines.
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// `google.rpc.PreconditionFailure`: what has to be so before the request can succeed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreconditionFailure {
    /// One for each precondition that does not hold.
    pub violations: Vec<PreconditionViolation>,
}

impl PreconditionFailure {
    /// With these preconditions.
    pub fn new(violations: impl IntoIterator<Item = PreconditionViolation>) -> Self {
        Self {
            violations: violations.into_iter().collect(),
        }
    }
}

/// A precondition that does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreconditionViolation {
    /// Its kind, `TERMS_OF_SERVICE`.
    pub kind: String,
    /// What it is about, `shop.example/orders`.
    pub subject: String,
    /// How to mend it, for people.
    pub description: String,
}

impl PreconditionViolation {
    /// Of a kind, about a subject.
    pub fn new(kind: impl Into<String>, subject: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            subject: subject.into(),
            description: description.into(),
        }
    }
}

/// `google.rpc.QuotaFailure`: which quotas are used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaFailure {
    /// One for each quota.
    pub violations: Vec<QuotaViolation>,
}

impl QuotaFailure {
    /// With these quotas.
    pub fn new(violations: impl IntoIterator<Item = QuotaViolation>) -> Self {
        Self {
            violations: violations.into_iter().collect(),
        }
    }
}

/// A quota that is used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaViolation {
    /// Whose it is: `tenant:acme`, `clientip:10.0.0.1`.
    pub subject: String,
    /// Which one, for people.
    pub description: String,
}

impl QuotaViolation {
    /// A quota of a subject.
    pub fn new(subject: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            description: description.into(),
        }
    }
}

coded_as!(BadRequest, proto::BadRequest, "BadRequest");
coded_as!(
    PreconditionFailure,
    proto::PreconditionFailure,
    "PreconditionFailure"
);
coded_as!(QuotaFailure, proto::QuotaFailure, "QuotaFailure");

impl From<BadRequest> for proto::BadRequest {
    fn from(ours: BadRequest) -> Self {
        let violation = |v: FieldViolation| proto::FieldViolation {
            field: v.field,
            description: v.description,
            reason: v.reason,
        };
        Self {
            field_violations: ours.violations.into_iter().map(violation).collect(),
        }
    }
}

impl From<proto::BadRequest> for BadRequest {
    fn from(read: proto::BadRequest) -> Self {
        Self::new(read.field_violations.into_iter().map(|v| FieldViolation {
            field: v.field,
            description: v.description,
            reason: v.reason,
        }))
    }
}

impl From<PreconditionFailure> for proto::PreconditionFailure {
    fn from(ours: PreconditionFailure) -> Self {
        let violation = |v: PreconditionViolation| proto::PreconditionViolation {
            kind: v.kind,
            subject: v.subject,
            description: v.description,
        };
        Self {
            violations: ours.violations.into_iter().map(violation).collect(),
        }
    }
}

impl From<proto::PreconditionFailure> for PreconditionFailure {
    fn from(read: proto::PreconditionFailure) -> Self {
        let violation =
            |v: proto::PreconditionViolation| PreconditionViolation::new(v.kind, v.subject, v.description);
        Self::new(read.violations.into_iter().map(violation))
    }
}

impl From<QuotaFailure> for proto::QuotaFailure {
    fn from(ours: QuotaFailure) -> Self {
        let violation = |v: QuotaViolation| proto::QuotaViolation {
            subject: v.subject,
            description: v.description,
        };
        Self {
            violations: ours.violations.into_iter().map(violation).collect(),
        }
    }
}

impl From<proto::QuotaFailure> for QuotaFailure {
    fn from(read: proto::QuotaFailure) -> Self {
        Self::new(
            read.violations
                .into_iter()
                .map(|v| QuotaViolation::new(v.subject, v.description)),
        )
    }
}
