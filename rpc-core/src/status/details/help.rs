//! Details for people: `Help` and `LocalizedMessage`.

use super::{coded_as, proto};

/// `google.rpc.Help`: where to read on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Help {
    /// Pages.
    pub links: Vec<HelpLink>,
}

impl Help {
    /// With these pages.
    pub fn new(links: impl IntoIterator<Item = HelpLink>) -> Self {
        Self {
            links: links.into_iter().collect(),
        }
    }
}

/// A page to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HelpLink {
    /// What is found there.
    pub description: String,
    /// Where.
    pub url: String,
}

impl HelpLink {
    /// A page by its address.
    pub fn new(description: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            url: url.into(),
        }
    }
}

/// `google.rpc.LocalizedMessage`: a text that may be shown to a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalizedMessage {
    /// The language, a BCP 47 tag: `en-GB`.
    pub locale: String,
    /// The text.
    pub message: String,
}

impl LocalizedMessage {
    /// A text in a language.
    pub fn new(locale: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            locale: locale.into(),
            message: message.into(),
        }
    }
}

coded_as!(Help, proto::Help, "Help");
coded_as!(LocalizedMessage, proto::LocalizedMessage, "LocalizedMessage");

impl From<Help> for proto::Help {
    fn from(ours: Help) -> Self {
        let link = |link: HelpLink| proto::HelpLink {
            description: link.description,
            url: link.url,
        };
        Self {
            links: ours.links.into_iter().map(link).collect(),
        }
    }
}

impl From<proto::Help> for Help {
    fn from(read: proto::Help) -> Self {
        Self::new(
            read.links
                .into_iter()
                .map(|link| HelpLink::new(link.description, link.url)),
        )
    }
}

impl From<LocalizedMessage> for proto::LocalizedMessage {
    fn from(ours: LocalizedMessage) -> Self {
        Self {
            locale: ours.locale,
            message: ours.message,
        }
    }
}

impl From<proto::LocalizedMessage> for LocalizedMessage {
    fn from(read: proto::LocalizedMessage) -> Self {
        Self::new(read.locale, read.message)
    }
}
