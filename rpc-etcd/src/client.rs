//! One function for each thing that is asked of etcd.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use rpc_core::{BuildError, Channel, Code, Context, Request, Result, Status, Streaming};

use crate::{
    EtcdConfig,
    api::{
        CompactionRequest, Compare, CompareTarget, DeleteRangeRequest, KV as _, KVClient, KeyValue,
        Lease as _, LeaseClient, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, PutRequest,
        RangeRequest, RequestOp, RequestOpKind, TxnRequest, WatchClient,
    },
    auth::Login,
    endpoints::Endpoints,
    error::is_too_large,
    watch::{Position, Watcher},
};

/// Keys of one answer of a list. With records of a kilobyte or so a page is far below the largest message.
const PAGE: i64 = 2_000;
/// More keys below one prefix are a mistake of somebody's.
const MAX_KEYS: usize = 200_000;

/// A client of one etcd cluster. Cheap to clone; clones share connections and token.
///
/// Nothing is connected before the first call. Calls need a tokio runtime.
///
/// ```no_run
/// use rpc_etcd::{Etcd, EtcdConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let etcd = Etcd::new(EtcdConfig::new(["10.0.0.1:2379".parse()?, "10.0.0.2:2379".parse()?]))?;
/// let lease = etcd.grant(std::time::Duration::from_secs(15)).await?;
/// etcd.put("/shop/a1", "10.0.0.7:50051", Some(lease.id)).await?;
/// let list = etcd.list("/shop/").await?;
/// assert_eq!(list.entries.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Etcd(Arc<Inner>);

pub(crate) struct Inner {
    kv: KVClient,
    lease: LeaseClient,
    pub(crate) watch: WatchClient,
    pub(crate) login: Arc<Login>,
    pub(crate) config: EtcdConfig,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The lease that it hangs on.
    pub lease: Option<i64>,
    /// The revision of its last change.
    pub revision: i64,
}

/// All keys below a prefix, as they were at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The keys, in their order.
    pub entries: Vec<Entry>,
    /// The moment: a watch from here on misses nothing.
    pub position: Position,
}

/// A lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granted {
    /// Its number.
    pub id: i64,
    /// How long it lasts without renewal; etcd may give more than was asked for.
    pub ttl: Duration,
}

impl Etcd {
    /// A client with these settings.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn new(config: EtcdConfig) -> Result<Self, BuildError> {
        config.check()?;
        let config = config.bounded();
        let login = Arc::new(Login::new(&config, Arc::new(Endpoints::new(&config)?)));
        let channel = Channel::new(Arc::clone(&login));
        Ok(Self(Arc::new(Inner {
            kv: KVClient::new(channel.clone()),
            lease: LeaseClient::new(channel.clone()),
            watch: WatchClient::new(channel),
            login,
            config,
        })))
    }

    /// Its settings.
    pub fn config(&self) -> &EtcdConfig {
        &self.0.config
    }

    /// Reads a key.
    ///
    /// # Errors
    /// As etcd answers; [`meaning`](crate::meaning) says what to make of it. The same holds for all functions here.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Entry>> {
        self.get_at(key, Position::default()).await
    }

    /// Reads a key as it was at a position of this etcd's history; at the default one, as it is.
    ///
    /// # Errors
    /// OUT_OF_RANGE, which [means](crate::meaning) behind, if etcd has forgotten what was there, or has not got that far.
    pub async fn get_at(&self, key: impl Into<Bytes>, position: Position) -> Result<Option<Entry>> {
        let request = RangeRequest {
            key: key.into(),
            revision: position.revision,
            ..RangeRequest::default()
        };
        let answer = self.0.kv.range(self.request(request)).await?;
        Ok(answer.kvs.into_iter().next().map(Entry::from))
    }

    /// Reads all keys below a prefix, page by page, as they were when the first page was read.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if there are more than 200 000, or one is too large to be received.
    pub async fn list(&self, prefix: impl Into<Bytes>) -> Result<Listing> {
        let prefix = prefix.into();
        let mut request = RangeRequest {
            range_end: after_prefix(&prefix),
            key: prefix,
            limit: PAGE,
            revision: 0,
        };
        let mut position = Position::default();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let answer = match self.0.kv.range(self.request(request.clone())).await {
                Ok(answer) => answer,
                // A page of large records: half of it, until it fits.
                Err(status) if is_too_large(&status) && request.limit > 1 => {
                    request.limit /= 2;
                    continue;
                }
                Err(status) => return Err(status),
            };
            if request.revision == 0 {
                position = Position::of(answer.header.as_ref())?;
                request.revision = position.revision;
            }
            // An empty page that promises more would be asked for for ever.
            let goes_on = answer.more && !answer.kvs.is_empty();
            entries.extend(answer.kvs.into_iter().map(Entry::from));
            let Some(last) = entries.last().filter(|_| goes_on) else {
                return Ok(Listing { entries, position });
            };
            if entries.len() > MAX_KEYS {
                let text = format!("more than {MAX_KEYS} keys below one prefix");
                return Err(Status::resource_exhausted(text));
            }
            request.key = [&last.key[..], &[0]].concat().into();
            // What follows may be smaller.
            request.limit = (request.limit * 2).min(PAGE);
        }
    }

    /// Writes a key, on a lease if it shall end with one.
    ///
    /// # Errors
    /// NOT_FOUND if there is no such lease.
    pub async fn put(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: Option<i64>,
    ) -> Result<()> {
        let request = PutRequest {
            key: key.into(),
            value: value.into(),
            lease: lease.unwrap_or_default(),
            ignore_lease: false,
        };
        self.0.kv.put(self.request(request)).await.map(drop)
    }

    /// Writes a key anew, on the lease that it has, unless somebody has changed it since it was read; says whether it was
    /// written.
    pub async fn replace(&self, entry: &Entry, value: impl Into<Bytes>) -> Result<bool> {
        let unchanged = Compare {
            target: CompareTarget::Mod.into(),
            key: entry.key.clone(),
            mod_revision: entry.revision,
            ..Compare::default()
        };
        self.write_if(unchanged, value.into()).await
    }

    /// Writes another key, on the lease of the old one, and deletes that, all at once, if the old one is there and hangs on this
    /// lease; says whether it was done.
    pub async fn rename(
        &self,
        old: impl Into<Bytes>,
        new: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: i64,
    ) -> Result<bool> {
        let old = old.into();
        let put = RequestOpKind::Put(PutRequest {
            key: new.into(),
            value: value.into(),
            lease,
            ignore_lease: false,
        });
        let delete = RequestOpKind::DeleteRange(DeleteRangeRequest {
            key: old.clone(),
            range_end: Bytes::new(),
        });
        self.transact(hangs_on(old, lease), [put, delete]).await
    }

    /// Writes a key anew if it is there and hangs on this lease; says whether it was written.
    pub async fn rewrite(&self, key: impl Into<Bytes>, value: impl Into<Bytes>, lease: i64) -> Result<bool> {
        self.write_if(hangs_on(key.into(), lease), value.into()).await
    }

    /// Writes the key that is compared, on the lease that it has.
    async fn write_if(&self, compare: Compare, value: Bytes) -> Result<bool> {
        let put = PutRequest {
            key: compare.key.clone(),
            value,
            lease: 0,
            ignore_lease: true,
        };
        self.transact(compare, [RequestOpKind::Put(put)]).await
    }

    async fn transact(
        &self,
        compare: Compare,
        success: impl IntoIterator<Item = RequestOpKind>,
    ) -> Result<bool> {
        let operation = |kind| RequestOp { request: Some(kind) };
        let request = TxnRequest {
            compare: vec![compare],
            success: success.into_iter().map(operation).collect(),
        };
        let answer = self.0.kv.txn(self.request(request)).await?;
        Ok(answer.succeeded)
    }

    /// Deletes a key; says whether it was there.
    pub async fn delete(&self, key: impl Into<Bytes>) -> Result<bool> {
        let request = DeleteRangeRequest {
            key: key.into(),
            range_end: Bytes::new(),
        };
        let answer = self.0.kv.delete_range(self.request(request)).await?;
        Ok(answer.deleted > 0)
    }

    /// Has etcd forget what was before a revision.
    pub async fn compact(&self, revision: i64) -> Result<()> {
        let request = CompactionRequest {
            revision,
            physical: true,
        };
        self.0.kv.compact(self.request(request)).await.map(drop)
    }

    /// Has a lease made.
    ///
    /// # Errors
    /// OUT_OF_RANGE if it is longer than etcd keeps any.
    pub async fn grant(&self, ttl: Duration) -> Result<Granted> {
        let request = LeaseGrantRequest {
            // Whole seconds, and never less than was asked for.
            ttl: i64::try_from(ttl.as_millis().div_ceil(1000)).unwrap_or(i64::MAX),
        };
        let answer = self.0.lease.lease_grant(self.request(request)).await?;
        if answer.ttl <= 0 {
            return Err(Status::internal("etcd granted a lease that does not last"));
        }
        Ok(Granted {
            id: answer.id,
            ttl: seconds(answer.ttl),
        })
    }

    /// Renews a lease; says how long it lasts from now.
    ///
    /// A stream for one renewal: a stream that is kept would have to be watched for breaking, and is hardly cheaper at one
    /// message in five seconds.
    ///
    /// # Errors
    /// NOT_FOUND if there is no such lease. etcd itself does not call that an error.
    pub async fn keep_alive(&self, lease: i64) -> Result<Duration> {
        let exchange = async {
            let requests = Streaming::from_iter([LeaseKeepAliveRequest { id: lease }]);
            let request = Request::new(requests).with_context(Context::new());
            let mut answers = self.0.lease.lease_keep_alive(request).await?;
            answers.message().await
        };
        let answer = match tokio::time::timeout(self.0.config.timeout, exchange).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Status::deadline_exceeded("etcd does not answer to a renewal")),
        };
        let answer = answer.ok_or_else(|| Status::unavailable("etcd said nothing of the lease"))?;
        if answer.ttl <= 0 {
            return Err(Status::not_found(format!(
                "etcd does not know lease {lease:x} any more"
            )));
        }
        Ok(seconds(answer.ttl))
    }

    /// Ends a lease; the keys that hang on it go with it. One that is not there has ended well.
    pub async fn revoke(&self, lease: i64) -> Result<()> {
        let revoked = self
            .0
            .lease
            .lease_revoke(self.request(LeaseRevokeRequest { id: lease }));
        match revoked.await {
            Err(status) if status.code() != Code::NotFound => Err(status),
            _ => Ok(()),
        }
    }

    /// Watches all keys below a prefix, from the moment after `position` on.
    ///
    /// # Errors
    /// OUT_OF_RANGE if etcd is another cluster than it was then: list again. That it has forgotten what was then it says a
    /// moment later, to [`Watcher::next`].
    pub async fn watch(&self, prefix: impl Into<Bytes>, position: Position) -> Result<Watcher> {
        Watcher::open(&self.0, &prefix.into(), position).await
    }

    /// With the time that one exchange may take, and nothing of the call that this process may be answering: a lease
    /// outlives it.
    fn request<T>(&self, message: T) -> Request<T> {
        Request::new(message)
            .with_context(Context::new())
            .with_timeout(self.0.config.timeout)
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Etcd").field(&self.0.config).finish()
    }
}

impl From<KeyValue> for Entry {
    fn from(found: KeyValue) -> Self {
        Self {
            key: found.key,
            value: found.value,
            lease: (found.lease != 0).then_some(found.lease),
            revision: found.mod_revision,
        }
    }
}

fn hangs_on(key: Bytes, lease: i64) -> Compare {
    Compare {
        target: CompareTarget::Lease.into(),
        key,
        lease,
        ..Compare::default()
    }
}

/// The first key that does not begin with the prefix; a single zero byte, which is "to the end", if there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(&[0])
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

const _: () = {
    const fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Etcd>();
};
