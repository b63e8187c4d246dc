//! Several targets as one list.
//!
//! Each target is followed by itself, with its own doubt, cache and freshness, so that a registry that is away, empty or
//! wrong takes nothing from what another one says. The lists are united here by instance id.
//!
//! # Which record counts
//! Where several targets list an instance, those are asked that can be trusted most: targets that are live before those
//! that are not, records that are not suspect before suspects. The first of these, in the order in which the targets were
//! named, says the record; if any of these says that the instance is draining or disabled, it is, since a provider that
//! stops or an operator may reach one registry before the other. An instance is a suspect only where all that list it say
//! so, and gone once none of them lists it.
//!
//! Asking all targets equally was rejected: a registry that is away would go on saying that an instance is up which the
//! other one has marked as draining.

mod whole;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::poll_fn,
    sync::Arc,
    task::Poll,
};

use super::{Change, Follow, FollowConfig, Freshness, Listed, Viewer};
use crate::{InstanceId, InstanceState, Resolver};

/// One target, and how it is followed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Source {
    /// What the cache on disk, the log and [`View::target`](crate::View::target) call it.
    pub target: String,
    /// Learns its instances.
    pub resolver: Arc<dyn Resolver>,
    /// How it is followed.
    pub config: Arc<FollowConfig>,
}

impl Source {
    /// A target that is followed as usual.
    pub fn new(target: impl Into<String>, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            target: target.into(),
            resolver,
            config: Arc::default(),
        }
    }

    /// Sets how it is followed.
    pub fn with_config(mut self, config: impl Into<Arc<FollowConfig>>) -> Self {
        self.config = config.into();
        self
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("target", &self.target)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// What a client shall see of the instances of several targets, without end and without errors. See
/// [`follow`](super#several-targets).
#[derive(Debug)]
pub struct FollowAll {
    followed: Vec<Followed>,
    /// What was told of instances that more than one target could list; unused where there is one target.
    told: BTreeMap<InstanceId, Listed>,
}

#[derive(Debug)]
struct Followed {
    follow: Follow,
    freshness: Freshness,
    listed: BTreeMap<InstanceId, Listed>,
}

impl FollowAll {
    /// Follows all of these. Of none, nothing is ever told.
    pub fn new(sources: &[Source]) -> Self {
        let followed = |source: &Source| Followed {
            follow: Follow::with_config(
                source.target.clone(),
                &*source.resolver,
                Arc::clone(&source.config),
            ),
            freshness: Freshness::Pending,
            listed: BTreeMap::new(),
        };
        Self {
            followed: sources.iter().map(followed).collect(),
            told: BTreeMap::new(),
        }
    }

    /// The next change of the united list; waits while there is none. Its [`freshness`](Change::freshness) is that of the
    /// whole: see [`Freshness::Partial`].
    ///
    /// # Cancellation
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Change {
        if let [only] = &mut self.followed[..] {
            let change = only.follow.next().await;
            only.freshness.clone_from(&change.freshness);
            return change;
        }
        let (which, change) = self.first().await;
        let followed = &mut self.followed[which];
        let was_live = is_live(&followed.freshness);
        followed.freshness.clone_from(&change.freshness);
        self.unite(which, change, was_live)
    }

    /// A suspect cannot be connected to: it is dropped. Nothing happens to others.
    pub fn dismiss(&mut self, id: &InstanceId) {
        for followed in &mut self.followed {
            followed.follow.dismiss(id);
        }
    }

    /// Somebody could not connect to an instance: registries that are asked now and then are asked sooner.
    pub fn refresh(&mut self) {
        for followed in &mut self.followed {
            followed.follow.refresh();
        }
    }

    /// True if a target has neither told a list nor failed: waiting for it makes sense.
    pub fn is_awaited(&self) -> bool {
        let mut all = self.followed.iter();
        all.any(|followed| matches!(followed.freshness, Freshness::Pending))
    }

    /// What is known of each target, now and from here on, in the order in which they were named.
    pub fn viewers(&self) -> Vec<Viewer> {
        self.followed
            .iter()
            .map(|followed| followed.follow.viewer())
            .collect()
    }

    /// The next change of any target, and which it is.
    async fn first(&mut self) -> (usize, Change) {
        let nexts = self.followed.iter_mut().map(|followed| followed.follow.next());
        let mut nexts: Vec<_> = nexts.map(Box::pin).collect();
        poll_fn(|cx| {
            // Those that are dropped afterwards lose nothing, and are asked again next time.
            for (which, next) in nexts.iter_mut().enumerate() {
                if let Poll::Ready(change) = next.as_mut().poll(cx) {
                    return Poll::Ready((which, change));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Takes in what one target told, and says what that makes of the whole.
    fn unite(&mut self, which: usize, change: Change, was_live: bool) -> Change {
        let followed = &mut self.followed[which];
        let mut touched: BTreeSet<InstanceId> = change.gone.iter().cloned().collect();
        touched.extend(change.put.iter().map(|listed| listed.instance.id.clone()));
        if was_live != is_live(&followed.freshness) {
            // All its records weigh more, or less, than they did.
            touched.extend(followed.listed.keys().cloned());
        }
        for id in &change.gone {
            followed.listed.remove(id);
        }
        for listed in change.put {
            followed.listed.insert(listed.instance.id.clone(), listed);
        }
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        for id in touched {
            match self.judge(&id) {
                Some(listed) if self.told.get(&id) != Some(&listed) => {
                    self.told.insert(id, listed.clone());
                    put.push(listed);
                }
                Some(_) => {}
                None => {
                    if self.told.remove(&id).is_some() {
                        gone.push(id);
                    }
                }
            }
        }
        let parts = self.followed.iter();
        let parts: Vec<_> = parts
            .map(|followed| (followed.follow.target(), &followed.freshness))
            .collect();
        let freshness = whole::freshness(&parts);
        Change {
            put,
            gone,
            freshness,
            is_first: change.is_first,
        }
    }

    /// What counts of what the targets say of an instance; `None` if none of them lists it.
    fn judge(&self, id: &InstanceId) -> Option<Listed> {
        let said = || {
            self.followed.iter().filter_map(|followed| {
                let listed = followed.listed.get(id)?;
                Some(((listed.suspect, !is_live(&followed.freshness)), listed))
            })
        };
        let best = said().map(|(doubt, _)| doubt).min()?;
        let mut trusted = said()
            .filter(|(doubt, _)| *doubt == best)
            .map(|(_, listed)| listed);
        let mut listed = trusted.next()?.clone();
        if listed.instance.state == InstanceState::Up
            && let Some(other) = trusted.find(|other| other.instance.state != InstanceState::Up)
        {
            Arc::make_mut(&mut listed.instance).state = other.instance.state;
        }
        Some(listed)
    }
}

fn is_live(freshness: &Freshness) -> bool {
    matches!(freshness, Freshness::Live)
}
