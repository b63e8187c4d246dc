//! Loading and saving the list on disk, beside everything else.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use super::{DiskCache, cache::Saved};
use crate::{Instance, pause::later};

/// The least time between two lists that are saved.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// The pause after a list that could not be saved.
const FAILED_SAVE_PAUSE: Duration = Duration::from_secs(30);
/// A list that stays as it is gets saved anew so often within the time that it is good for.
const SAVES_PER_AGE: u32 = 8;

pub(super) enum Disk {
    /// There is no cache.
    Off,
    Idle,
    Loading(JoinHandle<Option<Saved>>),
    /// It was asked for before it was needed.
    Loaded(Option<Saved>),
    /// Says whether it was saved.
    Saving(JoinHandle<bool>),
    Resting(Instant),
}

impl Disk {
    pub(super) fn load(cache: DiskCache, target: String) -> Self {
        Self::Loading(spawn_blocking(move || cache.load(&target)))
    }

    /// Saves a list, `again` if that has just failed.
    pub(super) fn save(cache: DiskCache, target: String, list: Vec<Arc<Instance>>, again: bool) -> Self {
        Self::Saving(spawn_blocking(move || {
            let saved = cache.save(&target, &list);
            match &saved {
                Err(error) if again => {
                    tracing::debug!(target, %error, dir = %cache.dir.display(), "the list could still not be kept on disk");
                }
                Err(error) => {
                    tracing::warn!(target, %error, dir = %cache.dir.display(), "the list could not be kept on disk");
                }
                Ok(()) => {}
            }
            saved.is_ok()
        }))
    }

    /// When a list that is saved now is to be saved anew.
    pub(super) fn ages_at(cache: &DiskCache) -> Instant {
        later(Instant::now(), (cache.max_age / SAVES_PER_AGE).max(SAVE_PAUSE))
    }

    /// Waits until something comes of what is under way; says whether the list was saved, if that was it.
    pub(super) async fn turn(&mut self) -> Option<bool> {
        match self {
            Self::Off | Self::Idle | Self::Loaded(_) | Self::Resting(_) => std::future::pending().await,
            // It can only be that the runtime ends.
            Self::Loading(task) => {
                *self = Self::Loaded(task.await.ok().flatten());
                None
            }
            Self::Saving(task) => {
                let saved = task.await.unwrap_or_default();
                let pause = if saved { SAVE_PAUSE } else { FAILED_SAVE_PAUSE };
                *self = Self::Resting(Instant::now() + pause);
                Some(saved)
            }
        }
    }
}
