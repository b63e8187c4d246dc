//! When to ask.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use tokio::time::{Instant, sleep_until};

use super::lookup::{Answer, Families, LONGEST, Lookup, Servers};
use crate::{Fault, Instance, Refresh, Resolver, Update, Watch};

/// Answers are good for so long at least, and nobody makes us ask sooner.
const SHORTEST: Duration = Duration::from_secs(5);

pub(super) struct DnsResolver(pub(super) Arc<Lookup>);

impl Resolver for DnsResolver {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Asking {
            lookup: Arc::clone(&self.0),
            dns: None,
            families: Families::default(),
            asked_at: None,
            next_at: None,
            told: None,
            faulty: false,
            refresh: Refresh::new(),
            random: fastrand::Rng::new(),
        })
    }
}

struct Asking {
    lookup: Arc<Lookup>,
    dns: Option<TokioResolver>,
    families: Families,
    asked_at: Option<Instant>,
    next_at: Option<Instant>,
    told: Option<Vec<Instance>>,
    /// A fault was told, and nothing since.
    faulty: bool,
    refresh: Refresh,
    random: fastrand::Rng,
}

#[async_trait]
impl Watch for Asking {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            self.wait().await;
            // What comes is a fault, or sets it anew.
            self.next_at = None;
            let answer = match self.ask().await {
                Ok(answer) => answer,
                Err(fault) => {
                    self.faulty = true;
                    if matches!(self.lookup.servers, Servers::System(_)) {
                        // They may be others by now: the host has moved to another network, for instance.
                        self.dns = None;
                    }
                    return Err(fault);
                }
            };
            let was_faulty = std::mem::take(&mut self.faulty);
            let good_for = answer.ttl.clamp(SHORTEST, LONGEST);
            self.next_at = Some(Instant::now() + good_for.mul_f64(0.9 + 0.2 * self.random.f64()));
            if self.told.as_ref() == Some(&answer.instances) {
                if was_faulty {
                    // It may stay so for days; that DNS is back is told now.
                    let (put, gone) = (Vec::new(), Vec::new());
                    return Ok(Update::Delta { put, gone });
                }
                continue;
            }
            self.told = Some(answer.instances.clone());
            return Ok(if answer.instances.is_empty() {
                Update::Absent
            } else {
                Update::Snapshot(answer.instances.into_iter().map(Ok).collect())
            });
        }
    }

    fn listen(&mut self, refresh: Refresh) {
        self.refresh = refresh;
    }
}

impl Asking {
    async fn ask(&mut self) -> Result<Answer, Fault> {
        let dns = match &self.dns {
            Some(dns) => dns,
            None => self.dns.insert(self.lookup.resolver()?),
        };
        self.asked_at = Some(Instant::now());
        self.lookup.ask(dns, &mut self.families).await
    }

    /// Waits until it is time to ask.
    async fn wait(&mut self) {
        while let Some(at) = self.next_at {
            tokio::select! {
                () = sleep_until(at) => return,
                () = self.refresh.asked() => {
                    let sooner = self.asked_at.map(|asked| at.min(asked + SHORTEST));
                    self.next_at = sooner.or(self.next_at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use hickory_resolver::config::{ResolverConfig, ResolverOpts};

    use super::*;
    use crate::{FaultKind, backend::dns::lookup::Question};

    #[tokio::test(start_paused = true)]
    async fn the_system_is_asked_for_its_servers_again_after_a_fault() {
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        let nobody = move || {
            count.fetch_add(1, Relaxed);
            let config = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            Ok((config, ResolverOpts::default()))
        };
        let lookup = Lookup {
            servers: Servers::System(Box::new(nobody)),
            question: Question::Host("shop.internal".to_owned(), 50051),
        };
        let mut watch = DnsResolver(Arc::new(lookup)).watch();
        for times in 1..4 {
            let fault = watch.next().await.expect_err("there is nobody to ask");
            assert_eq!(fault.kind(), FaultKind::Transient, "{fault}");
            assert_eq!(read.load(Relaxed), times);
        }
    }
}
