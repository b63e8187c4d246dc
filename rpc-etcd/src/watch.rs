//! What changes below a prefix.
//!
//! A watch is one stream. It does not open itself again: whoever holds it has its [`Position`], and opens another one from
//! there when this one has failed, so that nothing is missed.
//!
//! # Silence
//! A stopped process and a cut cable send nothing, and neither does a service whose instances do not change. So when nothing
//! was heard for a while, etcd is asked how far it is; a watch that gets no answer has failed. And etcd is told that a member
//! without a leader shall end its watches (`hasleader`): otherwise a member that is cut off from the others stays silent.
//!
//! # Which answers move the position
//! Changes, and the progress that etcd tells of its own accord. The answer to *our* question does not: before etcd 3.4.25
//! and 3.5.8 it may overtake changes that are still on their way, and a watch that was opened from there would miss them.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use rpc_core::{Code, Context, Request, Result, Status, Streaming, message::Sender};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    api::{
        EventType, ResponseHeader, Watch as _, WatchCreateRequest, WatchProgressRequest, WatchRequest,
        WatchRequestKind, WatchResponse,
    },
    client::{Inner, after_prefix},
    error::{behind, is_of_login},
};

/// A batch with more changes than this, which come in parts, is a mistake of somebody's.
const MAX_CHANGES: usize = 500_000;

/// A moment in the history of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The cluster.
    pub cluster: u64,
    /// The last revision that is known.
    pub revision: i64,
}

/// What changed since the last answer, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The changes; never empty.
    pub changes: Vec<Change>,
    /// The moment after them.
    pub position: Position,
}

/// A key that was written or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The key.
    pub key: Bytes,
    /// Its new value; `None` if it was deleted or its lease ended, which etcd does not tell apart.
    pub value: Option<Bytes>,
    /// The revision of the change.
    pub revision: i64,
}

/// A watch of all keys below a prefix.
#[must_use = "a watch tells nothing unless it is asked"]
pub struct Watcher {
    requests: Sender<WatchRequest>,
    responses: Streaming<WatchResponse>,
    id: i64,
    position: Position,
    /// Changes whose last part has not come yet.
    partial: Vec<Change>,
    probe_interval: Duration,
    timeout: Duration,
    heard: Instant,
    /// etcd was asked how far it is, and has not answered.
    probed: bool,
}

impl Watcher {
    pub(crate) async fn open(etcd: &Arc<Inner>, prefix: &Bytes, position: Position) -> Result<Self> {
        match Self::attempt(etcd, prefix, position).await {
            // Older versions refuse in the same words whether the token is too old or the user may not look.
            Err(status)
                if etcd.login.has_user()
                    && matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated) =>
            {
                etcd.login.forget().await;
                Self::attempt(etcd, prefix, position).await
            }
            result => result,
        }
    }

    async fn attempt(etcd: &Arc<Inner>, prefix: &Bytes, position: Position) -> Result<Self> {
        let limit = etcd.config.timeout;
        let opened = timeout(limit, Self::begin(etcd, prefix, position)).await;
        opened.unwrap_or_else(|_| Err(Status::deadline_exceeded("etcd does not begin a watch")))
    }

    async fn begin(etcd: &Arc<Inner>, prefix: &Bytes, position: Position) -> Result<Self> {
        let (requests, stream) = Streaming::channel(2);
        let create = WatchCreateRequest {
            key: prefix.clone(),
            range_end: after_prefix(prefix),
            start_revision: position.revision.saturating_add(1),
            progress_notify: true,
            fragment: true,
        };
        let create = WatchRequest {
            request: Some(WatchRequestKind::Create(create)),
        };
        requests.send(create).await.map_err(|_| ended())?;
        let mut request = Request::new(stream).with_context(Context::new());
        let told = request.metadata_mut().insert("hasleader", "true");
        told.map_err(|error| Status::internal("`hasleader` cannot be sent").with_source(error))?;
        let mut responses = etcd.watch.watch(request).await?;
        let first = responses.message().await?.ok_or_else(ended)?;
        refused(&first)?;
        if !first.created {
            return Err(Status::internal(
                "etcd answers to another watch than was asked for",
            ));
        }
        let watcher = Self {
            requests,
            responses,
            id: first.watch_id,
            position,
            partial: Vec::new(),
            probe_interval: etcd.config.probe_interval,
            timeout: etcd.config.timeout,
            heard: Instant::now(),
            probed: false,
        };
        watcher.compare(first.header.as_ref())?;
        Ok(watcher)
    }

    /// The moment up to which everything was told.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next changes; waits while there are none.
    ///
    /// # Errors
    /// The watch has failed and is of no more use; the next one goes on from [`position`](Self::position). OUT_OF_RANGE if
    /// that cannot be: etcd has forgotten what was then, or is another cluster than it was.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Changes> {
        loop {
            let patience = if self.probed {
                self.timeout
            } else {
                self.probe_interval
            };
            match timeout_at(self.heard + patience, self.responses.message()).await {
                Ok(response) => {
                    let response = response?.ok_or_else(ended)?;
                    self.heard = Instant::now();
                    self.probed = false;
                    if let Some(changes) = self.take(response)? {
                        return Ok(changes);
                    }
                }
                Err(_) if self.probed => {
                    return Err(Status::unavailable(
                        "etcd is silent, and does not answer to a question",
                    ));
                }
                Err(_) => self.probe().await?,
            }
        }
    }

    async fn probe(&mut self) -> Result<()> {
        let question = WatchRequest {
            request: Some(WatchRequestKind::Progress(WatchProgressRequest {})),
        };
        match timeout(self.timeout, self.requests.send(question)).await {
            Ok(Ok(())) => {
                self.probed = true;
                self.heard = Instant::now();
                Ok(())
            }
            Ok(Err(_)) => Err(ended()),
            Err(_) => Err(Status::unavailable("etcd takes no more requests on a stream")),
        }
    }

    fn take(&mut self, response: WatchResponse) -> Result<Option<Changes>> {
        refused(&response)?;
        let now = self.compare(response.header.as_ref())?;
        let is_ours = response.watch_id == self.id;
        if response.events.is_empty() && self.partial.is_empty() {
            if is_ours && !response.created {
                self.position = now;
            }
            return Ok(None);
        }
        for event in response.events {
            let kv = event.kv.unwrap_or_default();
            let deleted = event.r#type == EventType::Delete as i32;
            self.partial.push(Change {
                key: kv.key,
                value: (!deleted).then_some(kv.value),
                revision: kv.mod_revision,
            });
        }
        if self.partial.len() > MAX_CHANGES {
            let text = format!("more than {MAX_CHANGES} changes in one batch");
            return Err(Status::resource_exhausted(text));
        }
        if response.fragment {
            return Ok(None);
        }
        let changes = std::mem::take(&mut self.partial);
        let last = changes.iter().map(|change| change.revision).max();
        self.position.revision = self.position.revision.max(last.unwrap_or_default());
        Ok(Some(Changes {
            changes,
            position: self.position,
        }))
    }

    /// Checks that an answer comes from the history that we know, and says which moment it is of.
    fn compare(&self, header: Option<&ResponseHeader>) -> Result<Position> {
        let mut now = Position::of(header)?;
        if now.cluster == 0 {
            // No cluster has that number: etcd's `grpc-proxy` says it where it begins a watch that somebody has already.
            now.cluster = self.position.cluster;
        }
        if now.cluster != self.position.cluster {
            return Err(behind("the revision is of another cluster: etcd was set up anew"));
        }
        if now.revision < self.position.revision {
            return Err(behind(
                "the revision went back: etcd was set up anew, or from a backup",
            ));
        }
        Ok(now)
    }
}

impl Position {
    pub(crate) fn of(header: Option<&ResponseHeader>) -> Result<Self> {
        let header = header.ok_or_else(|| Status::internal("etcd's answer has no `header`"))?;
        Ok(Self {
            cluster: header.cluster_id,
            revision: header.revision,
        })
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("position", &self.position)
            .field("probed", &self.probed)
            .finish_non_exhaustive()
    }
}

fn ended() -> Status {
    Status::unavailable("etcd ended the stream of watches")
}

fn refused(response: &WatchResponse) -> Result<()> {
    if !response.canceled {
        return Ok(());
    }
    // This, and no text, says that history is gone.
    if response.compact_revision > 0 {
        return Err(behind("the revision has been compacted"));
    }
    let reason = &response.cancel_reason;
    let shown: String = reason.chars().take(256).collect();
    if reason.contains("permission denied") {
        return Err(Status::permission_denied(shown));
    }
    if is_of_login(reason) {
        return Err(Status::unauthenticated(shown));
    }
    Err(Status::unavailable(format!("etcd ended the watch: {shown}")))
}
