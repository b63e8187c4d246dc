//! Faults as a stage.

use std::sync::Arc;

use futures_util::future::Either;
use rpc_core::{
    Call, Reply, Stage, Status,
    context::until,
    status::{Side, reason},
};
use tokio::time::sleep;

use super::{Abort, FaultRule};

/// Injects faults by rule. See the [module](super).
#[derive(Debug, Clone)]
pub struct Fault<S> {
    inner: S,
    rules: Arc<[FaultRule]>,
}

impl<S> Fault<S> {
    pub(super) fn new(inner: S, rules: Arc<[FaultRule]>) -> Self {
        Self { inner, rules }
    }

    fn rule(&self, call: &Call<'_>) -> Option<&FaultRule> {
        self.rules.iter().find(|rule| rule.when.matches(call))
    }
}

impl<S: Stage> Stage for Fault<S> {
    // No future of its own where there is no fault.
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        match self.rule(call) {
            None => Either::Left(self.inner.call(call)),
            // Boxed: the way that nearly all calls take does not carry its state along.
            Some(rule) => Either::Right(Box::pin(self.faulty(rule, call))),
        }
    }
}

impl<S: Stage> Fault<S> {
    #[cold]
    async fn faulty(&self, rule: &FaultRule, call: &mut Call<'_>) -> Result<Reply, Status> {
        if let Some(delay) = rule.delay.filter(|delay| is_drawn(delay.percent)) {
            let held_up = async {
                sleep(delay.time).await;
                Ok(())
            };
            until(call.context.deadline(), held_up).await?;
        }
        match &rule.abort {
            Some(abort) if is_drawn(abort.percent) => Err(aborted(rule, abort)),
            _ => self.inner.call(call).await,
        }
    }
}

fn is_drawn(percent: f64) -> bool {
    percent >= 100.0 || fastrand::f64() * 100.0 < percent
}

fn aborted(rule: &FaultRule, abort: &Abort) -> Status {
    let message = match &abort.message {
        Some(message) => message.clone(),
        None => format!("a fault was injected by rule `{}`", rule.name),
    };
    Status::new(abort.code, message)
        .with_reason(reason::FAULT_INJECTED)
        .with_domain(reason::DOMAIN)
        .with_parameter("rule", rule.name.clone())
        .at_side(Side::Client)
}
