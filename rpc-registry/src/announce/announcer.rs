//! From waiting to withdrawn.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    AnnounceConfig, InstanceHandle,
    handle::Wanted,
    keep::{Ending, Keep, bounded, unless_withdrawn},
};
use crate::{Amendment, Fault, FaultKind, Instance, Registration, Registry, pause::Pauses, schemes::Place};

/// The longest pause between a loss and the next announcement.
const LONGEST_RETURN: Duration = Duration::from_secs(5);
/// However often somebody wants the record read back.
const SHORTEST_VERIFY: Duration = Duration::from_millis(100);
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
    /// It is not wanted any more, and was taken out, or there was nothing of it to take out.
    Withdrawn,
    /// It is not wanted any more, and the registry did not confirm in time that it was taken out, or the last announcement
    /// failed without a clear no, and may have been heard all the same: it may stay there until its lease ends, or where there are no
    /// leases until somebody takes it out.
    Left(Fault),
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

    /// Keeps it announced until it is [withdrawn](InstanceHandle::withdraw). The last [state](Self::state) tells how that went:
    /// [`Withdrawn`](AnnounceState::Withdrawn) or [`Left`](AnnounceState::Left).
    ///
    /// # Errors
    /// Only if the instance is one that clients or registries [refuse](Instance::check_written), or the first thing that the
    /// registry says is that it makes no sense: that does not mend itself. Said
    /// later, by a registry that was away or had taken it, it is tried again.
    ///
    /// # Cancellation
    /// Dropping the future gives the instance up as a crash would.
    pub async fn run(mut self) -> Result<(), Fault> {
        let mut is_first = true;
        let mut end = AnnounceState::Withdrawn;
        let mut last: Option<Last> = None;
        // Of an announcement that may be there all the same, with nothing in hand that could take it out.
        let mut unconfirmed = None;
        while self.healthy().await {
            if let Some(last) = &mut last {
                let found = bounded(self.config.timeout, last.registration.verify());
                let Some(found) = unless_withdrawn(self.wanted.clone(), found).await else {
                    break;
                };
                let pause = match found.as_ref().map_err(Fault::kind) {
                    Err(FaultKind::Superseded) => {
                        (last.is_doubtful, last.is_superseded) = (false, true);
                        unconfirmed = None;
                        Some(self.between_looks(last.registration.lease()))
                    }
                    Err(kind @ FaultKind::Transient) if last.is_superseded => {
                        Some(self.between_attempts(kind))
                    }
                    // Also what cannot be read any more, as a session that is over may have it.
                    _ => None,
                };
                if let (Err(fault), Some(pause)) = (found, pause) {
                    self.away(fault, pause).await;
                    continue;
                }
            }
            let shown = self.shown();
            let fault = match self.announce(&shown).await {
                Ok(registration) => {
                    is_first = false;
                    (last, unconfirmed) = (None, None);
                    tracing::info!(name = self.name, instance = %shown.id, state = %shown.state, "announced");
                    self.state.send_replace(AnnounceState::Announced);
                    match Keep::new(&mut self, registration, shown).run().await {
                        Ending::Withdrawn(state) => {
                            end = state;
                            break;
                        }
                        Ending::Lost { fault, registration } => {
                            let lease = registration.lease();
                            self.lease = lease;
                            last = Some(Last {
                                is_doubtful: !fault.ends_announcement(),
                                is_superseded: fault.kind() == FaultKind::Superseded,
                                registration,
                            });
                            let most = lease.map_or(LONGEST_RETURN, |lease| (lease / 3).min(LONGEST_RETURN));
                            let pause = self.pauses.up_to(most);
                            self.away(fault, pause).await;
                            continue;
                        }
                    }
                }
                Err(fault) => fault,
            };
            if std::mem::take(&mut is_first) && fault.kind() == FaultKind::Invalid {
                return Err(fault);
            }
            if fault.kind() == FaultKind::Transient {
                unconfirmed = Some(fault.clone());
            }
            let pause = self.between_attempts(fault.kind());
            self.away(fault, pause).await;
        }
        if let Some(last) = last.filter(|last| last.is_doubtful) {
            let shown = self.shown();
            end = Keep::new(&mut self, last.registration, shown).withdraw().await;
        }
        if let (AnnounceState::Withdrawn, Some(fault)) = (&end, unconfirmed) {
            tracing::warn!(name = self.name, %fault, "an announcement that failed may be there still, until its lease ends if it has one");
            end = AnnounceState::Left(fault);
        }
        self.state.send_replace(end);
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
        instance.check_written()?;
        // Not given up when the stop comes meanwhile: the record may be there by then, and has to be taken out.
        bounded(self.config.timeout, self.registry.announce(&self.name, instance)).await
    }

    /// Between two looks at the record under this lease.
    pub(super) fn between_looks(&mut self, lease: Option<Duration>) -> Duration {
        let period = self.config.verify.max(lease.unwrap_or_default());
        self.pauses.about(period.max(SHORTEST_VERIFY))
    }

    fn between_attempts(&mut self, fault: FaultKind) -> Duration {
        match fault {
            FaultKind::Denied | FaultKind::Invalid => self.pauses.about(DENIED_PAUSE),
            _ => {
                let most = self.lease.map_or(Duration::MAX, |lease| lease / 3);
                self.pauses.next().min(most)
            }
        }
    }

    /// Says that it is not announced, and pauses, unless there is nothing to come back for.
    async fn away(&mut self, fault: Fault, pause: Duration) {
        let name = &self.name;
        if fault.kind() != FaultKind::Superseded {
            tracing::warn!(name, %fault, ?pause, "not announced; trying again");
        } else if !self.is_superseded() {
            tracing::warn!(name, %fault, "not announced until somebody else's record is gone");
        }
        self.state.send_replace(AnnounceState::Away(fault));
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.wanted.wait_for(Wanted::is_withdrawn) => {}
        }
    }

    fn is_superseded(&self) -> bool {
        matches!(&*self.state.borrow(), AnnounceState::Away(fault) if fault.kind() == FaultKind::Superseded)
    }
}

/// What was announced, and is not any more.
struct Last {
    registration: Box<dyn Registration>,
    /// It was given up because nobody renewed it: the registry may have kept it longer than it said.
    is_doubtful: bool,
    /// Somebody else's record was in its place when it was last read.
    is_superseded: bool,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer")
            .field("name", &self.name)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
