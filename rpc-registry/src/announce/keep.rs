//! While an instance is announced: renew, verify, amend, withdraw.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{AnnounceState, Announcer, handle::Wanted};
use crate::{
    Amendment, Fault, FaultKind, Instance, InstanceState, Registration, caught::caught, pause::later,
};

/// The pause between two attempts to withdraw.
const WITHDRAW_PAUSE: Duration = Duration::from_millis(200);

/// Why an instance is not kept any more.
pub(super) enum Ending {
    /// By its owner; the state is how that went.
    Withdrawn(AnnounceState),
    Lost {
        fault: Fault,
        registration: Box<dyn Registration>,
    },
}

/// Keeps a registration.
pub(super) struct Keep<'a> {
    owner: &'a mut Announcer,
    registration: Box<dyn Registration>,
    /// What the registry shows, as far as we know.
    shown: Instance,
    /// What we wrote last.
    written: Instance,
    /// When the registry last did something for it: a lease lasts from here on.
    good_at: Instant,
    renew_at: Option<Instant>,
    verify_at: Instant,
    /// An amendment that the registry has not taken yet is tried again.
    amend_at: Option<Instant>,
    /// The registry could not take it, whatever is in it.
    is_failing: bool,
}

enum Due {
    Changed,
    Lost(Fault),
    Renew,
    Verify,
    Amend,
}

impl<'a> Keep<'a> {
    pub(super) fn new(
        owner: &'a mut Announcer,
        registration: Box<dyn Registration>,
        shown: Instance,
    ) -> Self {
        let now = Instant::now();
        let mut keep = Self {
            owner,
            registration,
            written: shown.clone(),
            shown,
            good_at: now,
            renew_at: None,
            verify_at: now,
            amend_at: None,
            is_failing: false,
        };
        keep.plan_renewal();
        keep.plan_verification();
        keep
    }

    pub(super) async fn run(mut self) -> Ending {
        loop {
            // Asked each time: what was done meanwhile may have taken note of the change.
            if self.is_withdrawn() {
                return Ending::Withdrawn(self.withdraw().await);
            }
            let result = match self.due().await {
                Due::Lost(fault) => Err(fault),
                // This one goes along when that is tried again.
                Due::Changed if self.is_failing => Ok(()),
                Due::Changed | Due::Amend => self.amend().await,
                Due::Renew => self.renew().await,
                Due::Verify => self.verify().await,
            };
            if let Err(fault) = result {
                let registration = self.registration;
                return Ending::Lost { fault, registration };
            }
        }
    }

    async fn due(&mut self) -> Due {
        let at = |time: Option<Instant>| async move {
            match time {
                Some(time) => sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // However often it is changed, the lease runs.
            () = at(self.renew_at) => Due::Renew,
            // An error means that nobody is left who could want it: as good as withdrawn.
            _ = self.owner.wanted.changed() => Due::Changed,
            fault = caught(self.registration.lost()) => Due::Lost(fault.unwrap_or_else(|panic| Fault::lost(panic.to_string()))),
            () = at(self.amend_at) => Due::Amend,
            () = sleep_until(self.verify_at) => Due::Verify,
        }
    }

    fn is_withdrawn(&self) -> bool {
        self.owner.wanted.has_changed().is_err() || self.owner.wanted.borrow().is_withdrawn()
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let lease = self.registration.lease().unwrap_or_default();
        let renewed = bounded(lease / 6, self.registration.renew());
        let Some(result) = unless_withdrawn(self.owner.wanted.clone(), renewed).await else {
            return Ok(());
        };
        match result {
            Ok(()) => self.good(),
            Err(fault) if fault.ends_announcement() => return Err(fault),
            Err(fault) => {
                if self.good_at.elapsed() >= lease {
                    return Err(fault);
                }
                // Sooner than the next renewal would be: the lease runs.
                let pause = self.owner.pauses.next().min(lease / 6);
                tracing::debug!(name = self.owner.name, %fault, ?pause, "the lease was not renewed");
                self.owner.state.send_replace(AnnounceState::Away(fault));
                self.renew_at = Some(Instant::now() + pause);
            }
        }
        Ok(())
    }

    async fn verify(&mut self) -> Result<(), Fault> {
        self.plan_verification();
        match self.read_back().await {
            Ok(()) => self.write().await,
            Err(fault) if fault.ends_announcement() => Err(fault),
            Err(_) => Ok(()),
        }
    }

    /// Brings the record in line with what its owner wants now, and with what an operator has made of it meanwhile.
    async fn amend(&mut self) -> Result<(), Fault> {
        self.amend_at = None;
        self.is_failing = false;
        if self.owner.shown() == self.shown {
            return Ok(());
        }
        match self.read_back().await {
            Err(fault) if fault.ends_announcement() => Err(fault),
            // Written now, it might undo what an operator did a moment ago.
            Err(fault) if fault.kind() == FaultKind::Transient => {
                self.amend_later(&fault);
                Ok(())
            }
            // Who may not read writes as well as it goes.
            _ => self.write().await,
        }
    }

    /// Takes on what the registry shows, and what an operator has made of it. Given up once the instance is withdrawn.
    async fn read_back(&mut self) -> Result<(), Fault> {
        let found = bounded(self.patience(), self.registration.verify());
        let Some(result) = unless_withdrawn(self.owner.wanted.clone(), found).await else {
            return Ok(());
        };
        let found = result.inspect_err(
            |fault| tracing::debug!(name = self.owner.name, %fault, "the record could not be read back"),
        )?;
        // As it was written: perhaps an operator has put it back.
        let found = found.unwrap_or_else(|| self.written.clone());
        self.owner.operator = Amendment::of_operator(&found);
        self.shown = found;
        Ok(())
    }

    async fn write(&mut self) -> Result<(), Fault> {
        let wanted = self.owner.shown();
        if self.is_withdrawn() || wanted == self.shown {
            return Ok(());
        }
        let result = bounded(self.patience(), self.registration.amend(&wanted)).await;
        match result {
            Ok(()) => {
                tracing::info!(name = self.owner.name, instance = %wanted.id, state = %wanted.state, "amended");
                self.written = wanted.clone();
                self.shown = wanted;
                Ok(())
            }
            Err(fault) if fault.ends_announcement() => Err(fault),
            Err(fault) => {
                self.amend_later(&fault);
                Ok(())
            }
        }
    }

    /// How long reading or writing may take: both together end while there is time to renew the lease.
    fn patience(&self) -> Duration {
        let timeout = self.owner.config.timeout;
        let lease = self.registration.lease();
        lease.map_or(timeout, |lease| timeout.min(lease / 6))
    }

    fn amend_later(&mut self, fault: &Fault) {
        let pause = self.owner.pauses.next();
        tracing::warn!(name = self.owner.name, %fault, ?pause, "the record could not be amended; trying again");
        self.amend_at = Some(Instant::now() + pause);
        self.is_failing = fault.kind() == FaultKind::Transient;
    }

    /// Marks the record, then takes it out.
    pub(super) async fn withdraw(mut self) -> AnnounceState {
        let limit = self.owner.config.withdraw;
        let mut last = None;
        let gone = timeout(limit, async {
            let marked = self.owner.shown().with_state(InstanceState::Draining);
            // It is taken out right away: that the mark was not taken matters little.
            let _ = bounded(limit / 3, self.registration.amend(&marked)).await;
            while let Err(fault) = self.registration.withdraw().await {
                if fault.ends_announcement() {
                    break;
                }
                tracing::debug!(name = self.owner.name, %fault, "the record could not be taken out; trying again");
                last = Some(fault);
                sleep(WITHDRAW_PAUSE).await;
            }
        });
        if gone.await.is_ok() {
            return AnnounceState::Withdrawn;
        }
        let fault = last.unwrap_or_else(silent);
        let lease = self.registration.lease();
        tracing::warn!(name = self.owner.name, %fault, ?lease, "the registry did not take the record out in time; only the end of a lease will");
        AnnounceState::Left(fault)
    }

    fn good(&mut self) {
        self.good_at = Instant::now();
        if !matches!(*self.owner.state.borrow(), AnnounceState::Announced) {
            self.owner.state.send_replace(AnnounceState::Announced);
        }
        self.plan_renewal();
    }

    fn plan_renewal(&mut self) {
        let pauses = &mut self.owner.pauses;
        self.renew_at = self
            .registration
            .lease()
            .map(|lease| later(Instant::now(), pauses.about(lease / 3)));
    }

    fn plan_verification(&mut self) {
        let pause = self.owner.between_looks(self.registration.lease());
        self.verify_at = later(Instant::now(), pause);
    }
}

pub(super) async fn bounded<T>(
    limit: Duration,
    exchange: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let in_time = timeout(limit, caught(exchange)).await;
    in_time.unwrap_or_else(|_| Err(silent())).flatten()
}

fn silent() -> Fault {
    Fault::transient("the registry did not answer in time")
}

/// What comes of an exchange that changes nothing; `None` if the instance is withdrawn meanwhile.
pub(super) async fn unless_withdrawn<T>(
    mut wanted: watch::Receiver<Wanted>,
    exchange: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        _ = wanted.wait_for(Wanted::is_withdrawn) => None,
        result = exchange => Some(result),
    }
}
