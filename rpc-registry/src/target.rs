//! The URI that says where instances come from.
//!
//! A general URI parser was rejected: a list of addresses (`static://a:1,b:2`) is no authority that one accepts, and what
//! is left is split here in a few lines that say what is wrong in our words.

use std::{fmt, str::FromStr};

use rpc_core::BuildError;

/// The most bytes that a target may have.
const MAX_LEN: usize = 4096;

/// Where instances come from: `scheme://authority/path?key=value`.
///
/// | target | instances |
/// | --- | --- |
/// | `static://10.0.0.1:50051,10.0.0.2:50051` | those addresses, for ever |
/// | `unix:/run/shop.sock`, `unix:///run/shop.sock` | one, behind a unix socket |
/// | `memory:///shop` | what is announced as `shop` in the embedded registry |
/// | `local:///shop` | the services of a server in this process |
/// | `file:///etc/rpc/services.yaml?name=shop` | those in a file (feature `file`) |
/// | `dns:///shop.internal:50051`, `dns+srv:///_grpc._tcp.shop.internal` | those that DNS knows (feature `dns`) |
///
/// Credentials do not belong into a target: targets are logged. `user@` is refused.
///
/// ```
/// use rpc_registry::Target;
///
/// let target: Target = "etcd://h1:2379,h2:2379/shop?layout=kratos".parse()?;
/// assert_eq!(target.scheme(), "etcd");
/// assert_eq!(target.hosts().collect::<Vec<_>>(), ["h1:2379", "h2:2379"]);
/// assert_eq!(target.name(), "shop");
/// assert_eq!(target.option("layout"), Some("kratos"));
/// # Ok::<(), rpc_core::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    text: String,
    scheme: String,
    authority: String,
    path: String,
    options: Vec<(String, String)>,
}

impl Target {
    /// The scheme, in lower case: `memory`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between `//` and the next `/`: `h1:2379,h2:2379`. Empty if there is none.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The authority's entries, split at commas.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.authority
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
    }

    /// The path with its leading `/`; empty if there is none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path without the `/` at its start: the service's name in most registries.
    pub fn name(&self) -> &str {
        self.path.trim_start_matches('/')
    }

    /// An option, `?layout=kratos`; the last one wins.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// All options, in order.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Refuses options other than the listed ones, by name.
    ///
    /// # Errors
    /// The first option that is not in the list.
    pub fn only_options(&self, known: &[&str]) -> Result<(), BuildError> {
        let Some((key, _)) = self.options().find(|(key, _)| !known.contains(key)) else {
            return Ok(());
        };
        let accepted = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        Err(self.error(format!(
            "option `{key}` is not known to scheme `{}`; accepted: {accepted}",
            self.scheme
        )))
    }

    /// A mistake in this target, for [`Scheme`](crate::Scheme)s.
    pub fn error(&self, problem: impl fmt::Display) -> BuildError {
        BuildError::new("target", format!("`{}`: {problem}", self.text))
    }
}

impl FromStr for Target {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let shown: String = text.chars().take(256).collect();
        let error = |problem: &str| BuildError::new("target", format!("`{shown}`: {problem}"));
        if text.len() > MAX_LEN {
            return Err(error(&format!("longer than {MAX_LEN} bytes")));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(error("spaces and control characters have no place in a target"));
        }
        let Some((scheme, rest)) = text
            .split_once(':')
            .filter(|(scheme, rest)| is_scheme(scheme, rest))
        else {
            return Err(error(&format!(
                "no scheme: write `static://{shown}` for a list of addresses"
            )));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        if authority.contains('@') {
            return Err(BuildError::new(
                "target",
                "credentials do not belong into a target: targets are logged",
            ));
        }
        let mut options = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |part| {
                percent_decode(part).ok_or_else(|| error("`%` must be followed by two hex digits of UTF-8"))
            };
            options.push((decode(key)?, decode(value)?));
        }
        let path =
            percent_decode(path).ok_or_else(|| error("`%` must be followed by two hex digits of UTF-8"))?;
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_owned());
        Ok(Self {
            text: text.to_owned(),
            scheme,
            authority,
            path,
            options,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `10.0.0.1:80`, `localhost:80` and `[::1]:80` have no scheme, though there is a colon.
fn is_scheme(scheme: &str, rest: &str) -> bool {
    let legal = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let is_port = rest.bytes().next().is_some_and(|b| b.is_ascii_digit());
    legal && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_port
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push((high * 16 + low) as u8);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}
