//! From waiting to withdrawn.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    AnnounceConfig, InstanceHandle,
    handle::Wanted,
    keep::{Ending, Keep},
};
use crate::{Amendment, Fault, FaultKind, Instance, Registration, Registry, pause::Pauses, schemes::Place};

/// The longest pause between a loss and the next announcement.
const LONGEST_RETURN: Duration = Duration::from_secs(5);
/// A registry that says no is not asked often.
const DENIED_PAUSE: Duration = Duration::from_secs(30);

/// Keeps one instance announced in one registry. See the [module](super).
pub struct Announcer {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) name: String,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) config: AnnounceConfig,
    pub(super) pauses: Pauses,
    pub(super) state: watch::Sender<AnnounceState>,
    /// The registry's last lease: nobody is away for longer than a third of it, once the registry is back.
    lease: Option<Duration>,
    /// What an operator has made of the record.
    pub(super) operator: Option<Amendment>,
}

/// How far an announcement has got.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnnounceState {
    /// Not announced: not healthy yet, or nobody drives it yet.
    Waiting,
    /// The registry has confirmed it.
    Announced,
    /// It should be announced, and is not, or not certainly; it is being tried.
    Away(Fault),
    /// It was taken out, or given up to its lease.
    Withdrawn,
}

impl Announcer {
    /// Of an instance, at a place.
    pub fn new(place: Place, instance: &InstanceHandle, config: AnnounceConfig) -> Self {
        Self {
            registry: place.registry,
            name: place.name,
            wanted: instance.subscribe(),
            pauses: Pauses::new(config.seed),
            config,
            state: watch::Sender::new(AnnounceState::Waiting),
            lease: None,
            operator: None,
        }
    }

    /// The service's name under which it is announced.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far it has got.
    pub fn state(&self) -> watch::Receiver<AnnounceState> {
        self.state.subscribe()
    }

    /// Keeps it announced until it is [withdrawn](InstanceHandle::withdraw).
    ///
    /// # Errors
    /// Only if the first thing that the registry says is that the instance makes no sense: that does not mend itself. Said
    /// later, by a registry that was away or had taken it, it is tried again.
    ///
    /// # Cancellation
    /// Dropping the future gives the instance up as a crash would.
    pub async fn run(mut self) -> Result<(), Fault> {
        let mut is_first = true;
        // What was given up because nobody renewed it: the registry may have kept it longer than it said.
        let mut doubtful = None;
        while self.healthy().await {
            let shown = self.shown();
            let fault = match self.announce(&shown).await {
                Ok(registration) => {
                    is_first = false;
                    doubtful = None;
                    tracing::info!(name = self.name, instance = %shown.id, state = %shown.state, "announced");
                    self.state.send_replace(AnnounceState::Announced);
                    match Keep::new(&mut self, registration, shown).run().await {
                        Ending::Withdrawn => break,
                        Ending::Lost { fault, registration } => {
                            let lease = registration.lease();
                            self.lease = lease;
                            doubtful = (fault.kind() != FaultKind::Lost).then_some(registration);
                            tracing::warn!(name = self.name, %fault, "the registry has lost the instance; announcing it again");
                            self.state.send_replace(AnnounceState::Away(fault));
                            let most = lease.map_or(LONGEST_RETURN, |lease| (lease / 3).min(LONGEST_RETURN));
                            let pause = self.pauses.up_to(most);
                            self.pause(pause).await;
                            continue;
                        }
                    }
                }
                Err(fault) => fault,
            };
            if std::mem::take(&mut is_first) && fault.kind() == FaultKind::Invalid {
                return Err(fault);
            }
            let pause = match fault.kind() {
                FaultKind::Denied | FaultKind::Invalid => self.pauses.about(DENIED_PAUSE),
                _ => {
                    let most = self.lease.map_or(Duration::MAX, |lease| lease / 3);
                    self.pauses.next().min(most)
                }
            };
            tracing::warn!(name = self.name, %fault, ?pause, "cannot be announced; trying again");
            self.state.send_replace(AnnounceState::Away(fault));
            self.pause(pause).await;
        }
        if let Some(registration) = doubtful {
            let shown = self.shown();
            Keep::new(&mut self, registration, shown).withdraw().await;
        }
        self.state.send_replace(AnnounceState::Withdrawn);
        Ok(())
    }

    /// Waits until it may be announced; `false` if it is not to be any more.
    async fn healthy(&mut self) -> bool {
        // Whoever wanted it announced is gone: so is the reason.
        let wanted = self.wanted.wait_for(|w| w.is_withdrawn() || w.is_healthy()).await;
        wanted.is_ok_and(|wanted| !wanted.is_withdrawn())
    }

    /// The instance as this registry shall show it.
    pub(super) fn shown(&mut self) -> Instance {
        let mut instance = self.wanted.borrow_and_update().shown();
        if let Some(amendment) = &self.operator {
            amendment.apply(&mut instance);
            amendment.mark(&mut instance);
        }
        instance
    }

    async fn announce(&self, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        // Not given up when the stop comes meanwhile: the record may be there by then, and has to be taken out.
        let announced = timeout(self.config.timeout, self.registry.announce(&self.name, instance));
        announced
            .await
            .unwrap_or_else(|_| Err(Fault::transient("the registry did not answer in time")))
    }

    /// Pauses, unless there is nothing to come back for.
    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.wanted.wait_for(Wanted::is_withdrawn) => {}
        }
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer")
            .field("name", &self.name)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
