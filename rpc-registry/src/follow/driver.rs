//! The driver of a watch.

use std::{fmt, pin::Pin, sync::Arc, time::SystemTime};

use tokio::time::{Instant, sleep_until};

use super::{Change, FollowConfig, Freshness, HoldBack, View, Viewer, disk::Disk, table::Table};
use crate::{
    Fault, FaultKind, InstanceId, Refresh, Resolver, Update, Watch,
    caught::caught,
    pause::{FORGOTTEN, Pauses, later},
};

/// What a client shall see of its target's instances, without end and without errors. See the [module](super).
#[allow(
    clippy::struct_excessive_bools,
    reason = "any of them may be true whatever the others are"
)]
pub struct Follow {
    target: String,
    config: Arc<FollowConfig>,
    exchange: Exchange,
    refresh: Refresh,
    table: Table,
    freshness: Freshness,
    /// When the registry last told anything.
    told_at: Option<SystemTime>,
    /// Something that the registry told was handed on.
    has_told: bool,
    pauses: Pauses,
    /// When the watch last lost its place.
    behind_at: Option<Instant>,
    /// The watch is not asked before.
    resume_at: Option<Instant>,
    /// The first answer is due.
    answer_by: Option<Instant>,
    /// Nothing is told before.
    settled_at: Option<Instant>,
    /// How far the list can be trusted has changed since it was told.
    untold: bool,
    disk: Disk,
    /// The last list could not be saved.
    disk_fails: bool,
    /// The list on disk is as old as it shall get while the registry says that it is right.
    aged_at: Option<Instant>,
    /// For those who look on.
    viewer: Viewer,
}

/// The watch, while it is asked for its next update. It asks nothing before it is polled for the first time.
///
/// Kept over the calls of [`Follow::next`]: whoever waits there has other things to do, and gives up waiting far more often
/// than a slow registry, or its timeout, needs for an answer.
type Exchange = Pin<Box<dyn Future<Output = (Box<dyn Watch>, Result<Update, Fault>)> + Send>>;

/// What `next` waited for.
enum Event {
    Told(Result<Update, Fault>),
    Due(Due),
    /// Something came of what was under way: whether the list was saved, if that was it.
    Disk(Option<bool>),
}

/// What comes by time alone.
#[derive(Clone, Copy)]
enum Due {
    Resume,
    Settled,
    Unanswered,
    Expired,
    Rested,
    Aged,
}

impl Follow {
    /// Follows a resolver as usual.
    pub fn new(resolver: &dyn Resolver) -> Self {
        Self::with_config("", resolver, FollowConfig::default())
    }

    /// Follows a resolver. `target` is what the cache on disk and the log call it.
    pub fn with_config(
        target: impl Into<String>,
        resolver: &dyn Resolver,
        config: impl Into<Arc<FollowConfig>>,
    ) -> Self {
        let mut config = config.into();
        if resolver.is_deliberate() {
            Arc::make_mut(&mut config).hold_back = HoldBack::off();
        }
        let disk = if config.cache.is_some() {
            Disk::Idle
        } else {
            Disk::Off
        };
        let target = target.into();
        let mut watch = resolver.watch();
        let refresh = Refresh::new();
        watch.listen(refresh.clone());
        Self {
            viewer: Viewer::new(View::new(&*target)),
            target,
            exchange: Box::pin(ask(watch)),
            refresh,
            table: Table::new(Arc::clone(&config)),
            freshness: Freshness::Pending,
            told_at: None,
            has_told: false,
            pauses: Pauses::new(config.seed),
            behind_at: None,
            resume_at: None,
            answer_by: None,
            settled_at: None,
            untold: false,
            disk,
            disk_fails: false,
            aged_at: None,
            config,
        }
    }

    /// The next change; waits while there is none. The first one comes when there is a list, or none can be had.
    ///
    /// # Cancellation
    /// Dropping the future loses no change, and no exchange with the registry: the next call goes on with it.
    pub async fn next(&mut self) -> Change {
        if matches!(self.freshness, Freshness::Pending) && self.answer_by.is_none() {
            self.answer_by = Some(later(Instant::now(), self.config.first_answer));
            self.load();
        }
        loop {
            if let Some(change) = self.review() {
                return change;
            }
            match self.event().await {
                Event::Told(Ok(Update::Stale(fault))) => self.fault(fault),
                Event::Told(Ok(update)) => self.learn(update),
                Event::Told(Err(fault)) => {
                    if fault.kind() == FaultKind::Behind && !self.is_behind_again() {
                        // It says nothing against the list, nor against the registry: the next list is asked for at once.
                        tracing::debug!(target = self.target, %fault, "asking for a new list");
                        continue;
                    }
                    let pause = self.pauses.next();
                    tracing::debug!(target = self.target, %fault, ?pause, "the registry cannot be watched");
                    self.resume_at = Some(Instant::now() + pause);
                    self.fault(fault);
                }
                Event::Due(due) => self.come_due(due),
                Event::Disk(Some(saved)) => {
                    self.disk_fails = !saved;
                    if !saved {
                        self.table.save_anew();
                    }
                }
                Event::Disk(None) => {}
            }
        }
    }

    /// A suspect cannot be connected to: it is dropped. Nothing happens to others.
    pub fn dismiss(&mut self, id: &InstanceId) {
        self.table.dismiss(id);
    }

    /// Somebody could not connect to an instance: a registry that is asked now and then is asked sooner.
    pub fn refresh(&mut self) {
        self.refresh.ask();
    }

    /// What is known now, for people.
    pub fn view(&self) -> View {
        self.viewer.view()
    }

    /// What is known now and from here on, for whoever looks on while another one waits in [`next`](Self::next).
    pub fn viewer(&self) -> Viewer {
        self.viewer.clone()
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// What is to be told now. Where nothing is, there is time for the list on disk.
    fn review(&mut self) -> Option<Change> {
        let change = self.take_change();
        self.show();
        if change.is_none() {
            self.save();
        }
        change
    }

    fn show(&mut self) {
        let (listed, suspects) = self.table.counts();
        let refused = self.table.take_refused();
        self.viewer.update(|view| {
            view.freshness.clone_from(&self.freshness);
            view.told_at = self.told_at;
            (view.listed, view.suspects) = (listed, suspects);
            if let Some(refused) = refused {
                view.refused = refused;
            }
        });
    }

    async fn event(&mut self) -> Event {
        let asked = self.resume_at.is_none();
        let due = self.next_due();
        tokio::select! {
            biased;
            (watch, told) = &mut self.exchange, if asked => {
                self.exchange = Box::pin(ask(watch));
                Event::Told(told)
            }
            due = at(due) => Event::Due(due),
            saved = self.disk.turn() => Event::Disk(saved),
        }
    }

    /// What comes next by time alone, and when.
    fn next_due(&self) -> Option<(Instant, Due)> {
        let rested_at = match self.disk {
            Disk::Resting(until) => Some(until),
            _ => None,
        };
        let all = [
            (self.resume_at, Due::Resume),
            (self.settled_at, Due::Settled),
            (self.answer_by, Due::Unanswered),
            (self.table.next_expiry(), Due::Expired),
            (rested_at, Due::Rested),
            (self.aged_at, Due::Aged),
        ];
        let set = all.into_iter().filter_map(|(time, due)| Some((time?, due)));
        set.min_by_key(|(time, _)| *time)
    }

    fn come_due(&mut self, due: Due) {
        match due {
            Due::Resume => self.resume_at = None,
            Due::Settled => self.settled_at = None,
            Due::Unanswered => self.fault(Fault::transient(format!(
                "no answer within {:?}",
                self.config.first_answer
            ))),
            Due::Expired => self.table.expire(Instant::now()),
            Due::Rested => self.disk = Disk::Idle,
            Due::Aged => {
                self.aged_at = None;
                self.table.save_anew();
            }
        }
    }

    /// The watch has lost its place: true if it did so a moment ago as well, whatever it has told since. A registry that gives
    /// a list each time would be asked for nothing but lists.
    fn is_behind_again(&mut self) -> bool {
        let now = Instant::now();
        let last = self.behind_at.replace(now);
        last.is_some_and(|last| now.duration_since(last) <= FORGOTTEN)
    }

    fn learn(&mut self, update: Update) {
        self.answer_by = None;
        self.told_at = Some(SystemTime::now());
        if !matches!(self.freshness, Freshness::Live) {
            self.freshness = Freshness::Live;
            self.untold = true;
        }
        self.table.apply(update, Instant::now());
    }

    /// The registry cannot be asked: told once, and again when it fails in another way.
    fn fault(&mut self, fault: Fault) {
        match &mut self.freshness {
            Freshness::Live => {
                tracing::warn!(target = self.target, %fault, "the registry cannot be asked; the last list stays");
                let since = SystemTime::now();
                self.freshness = Freshness::Stale { since, fault };
                self.untold = true;
            }
            Freshness::Pending => {
                tracing::warn!(target = self.target, %fault, "the registry cannot be asked, and there is no list yet");
                self.answer_by = None;
                self.freshness = Freshness::Unresolved(fault);
                // What is on disk may be on its way: it is told then.
                self.untold = true;
            }
            Freshness::Unresolved(known)
            | Freshness::Disk { fault: known, .. }
            | Freshness::Stale { fault: known, .. } => {
                if known.kind() != fault.kind() {
                    tracing::warn!(target = self.target, %fault, "the registry still cannot be asked, for another reason");
                    self.untold = true;
                }
                // Whoever looks on sees the last one.
                *known = fault;
            }
            // Of several targets, which are followed each by itself.
            Freshness::Partial { .. } => {}
        }
    }

    fn take_change(&mut self) -> Option<Change> {
        self.use_disk();
        let waits = matches!(self.freshness, Freshness::Pending)
            // A list from disk is better news than none.
            || (matches!(self.freshness, Freshness::Unresolved(_)) && matches!(self.disk, Disk::Loading(_)))
            || self.settled_at.is_some_and(|at| Instant::now() < at);
        if waits || !(self.untold || self.table.is_touched()) {
            return None;
        }
        let (gone, put) = self.table.diff();
        if !self.untold && gone.is_empty() && put.is_empty() {
            return None;
        }
        self.untold = false;
        self.settled_at = Some(later(Instant::now(), self.config.settle));
        let freshness = self.freshness.clone();
        let is_first = !std::mem::replace(&mut self.has_told, self.told_at.is_some());
        Some(Change {
            put,
            gone,
            freshness,
            is_first,
        })
    }

    /// Takes the list from disk on, if it is wanted and there.
    fn use_disk(&mut self) {
        let Disk::Loaded(saved) = &mut self.disk else {
            return;
        };
        match (&self.freshness, saved.take()) {
            (Freshness::Unresolved(fault), Some(saved)) => {
                let fault = fault.clone();
                tracing::warn!(target = self.target, %fault, saved_at = ?saved.saved_at, "using the list that was kept on disk");
                let records = saved.instances.into_iter().map(Ok).collect();
                self.table.apply(Update::Snapshot(records), Instant::now());
                let saved_at = saved.saved_at;
                self.freshness = Freshness::Disk { saved_at, fault };
                self.untold = true;
                self.disk = Disk::Idle;
            }
            // Not needed yet.
            (Freshness::Pending, saved) => self.disk = Disk::Loaded(saved),
            (_, _) => self.disk = Disk::Idle,
        }
    }

    fn load(&mut self) {
        if let Some(cache) = self.config.cache.clone() {
            self.disk = Disk::load(cache, self.target.clone());
        }
    }

    fn save(&mut self) {
        let Some(cache) = self
            .config
            .cache
            .clone()
            .filter(|_| matches!(self.disk, Disk::Idle))
        else {
            return;
        };
        if !matches!(self.freshness, Freshness::Live) {
            return;
        }
        let Some(list) = self.table.take_unsaved() else {
            return;
        };
        self.aged_at = Some(Disk::ages_at(&cache));
        self.disk = Disk::save(cache, self.target.clone(), list, self.disk_fails);
    }
}

async fn ask(mut watch: Box<dyn Watch>) -> (Box<dyn Watch>, Result<Update, Fault>) {
    let told = caught(watch.next()).await.flatten();
    (watch, told)
}

async fn at(due: Option<(Instant, Due)>) -> Due {
    match due {
        Some((time, due)) => {
            // Boxed: most of the time there is none, and there would be room for it.
            Box::pin(sleep_until(time)).await;
            due
        }
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("target", &self.target)
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}
