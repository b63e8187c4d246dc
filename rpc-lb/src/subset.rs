//! What calls choose from: the endpoints that are left for some requests, with the picker that was made for them.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    Balancer, Endpoint, PickRequest, Picker,
    route::{Candidates, Step},
    snapshot::Member,
};

/// The endpoints that some requests may go to. Immutable, but for what the picker learns.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Subset {
    endpoints: Box<[Arc<Endpoint>]>,
    /// As well as those, and so far away: for calls that the near ones refused.
    farther: Box<[(u8, Arc<Endpoint>)]>,
    /// None where there is no choice.
    picker: Option<Box<dyn Picker>>,
    /// How many may become ready without anybody doing anything.
    pending: usize,
    steps: Vec<Step>,
    /// More than the allowed part of them is sick: all get calls.
    panic: bool,
    needs_latency: bool,
    has_choice: bool,
}

/// What made a subset of candidates.
pub(crate) struct Plan<'p> {
    pub(crate) balancer: &'p dyn Balancer,
    /// The share of healthy ones below which the sick ones are not left out.
    pub(crate) panic: f32,
    pub(crate) needs_latency: bool,
}

impl Subset {
    pub(crate) fn new(
        candidates: Candidates<'_>,
        members: &[Member],
        steps: Vec<Step>,
        plan: &Plan<'_>,
    ) -> Self {
        let with_suspects = candidates.suspects_count();
        let left = candidates.into_left();
        let left = || left.iter().map(|index| &members[*index as usize]);
        let pending = left().filter(|member| !member.is_ready).count();

        let mut usable: Vec<_> = left()
            .filter(|member| member.is_ready && (with_suspects || !member.is_suspect))
            .collect();
        let has_choice = usable.len() > 1;
        // Before those that are far: where a few near ones are sick, the others are there to take over.
        let panic = leave_out_the_sick(&mut usable, plan.panic);
        let farther = keep_the_nearest(&mut usable);

        let endpoints: Box<[_]> = usable.iter().map(|member| Arc::clone(&member.endpoint)).collect();
        let farther = farther
            .iter()
            .map(|member| (member.distance, Arc::clone(&member.endpoint)));
        let is_picked = endpoints.len() > 1;
        Self {
            picker: is_picked.then(|| plan.balancer.picker(&endpoints)),
            needs_latency: is_picked && (plan.needs_latency || plan.balancer.needs_latency()),
            has_choice,
            endpoints,
            farther: farther.collect(),
            pending,
            steps,
            panic,
        }
    }

    /// The endpoints.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// What the routers did to come to this.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// True if too many are sick for leaving them out: all get calls.
    pub fn is_panicking(&self) -> bool {
        self.panic
    }

    /// True if the clock is to be read at the start and at the end of a call.
    #[inline]
    pub(crate) fn needs_latency(&self) -> bool {
        self.needs_latency
    }

    /// True if there are others beside one of the endpoints, be it only that they are sick or farther away: how it does is of
    /// use.
    #[inline]
    pub(crate) fn has_choice(&self) -> bool {
        self.has_choice
    }

    /// True if waiting makes sense.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending > 0
    }

    /// The router that left nobody.
    pub(crate) fn emptied_by(&self) -> Option<&Step> {
        self.steps.last().filter(|step| step.after == 0)
    }

    /// Picks one that was not tried.
    #[inline]
    pub(crate) fn pick(
        &self,
        request: &PickRequest<'_, '_>,
        tried: &[Arc<Endpoint>],
    ) -> Option<&Arc<Endpoint>> {
        let picked = match &self.picker {
            None => 0,
            Some(picker) => picker.pick(request),
        };
        let Some(endpoint) = self.endpoints.get(picked) else {
            return self.wrapped(picked, tried);
        };
        if tried.is_empty() {
            return Some(endpoint);
        }
        self.untried_from(picked, tried)
    }

    #[cold]
    fn wrapped(&self, picked: usize, tried: &[Arc<Endpoint>]) -> Option<&Arc<Endpoint>> {
        self.untried_from(picked.checked_rem(self.endpoints.len())?, tried)
    }

    /// The first that was not tried, from an index on.
    #[cold]
    fn untried_from(&self, index: usize, tried: &[Arc<Endpoint>]) -> Option<&Arc<Endpoint>> {
        let (before, after) = self.endpoints.split_at(index);
        let untried = |endpoint: &&Arc<Endpoint>| !tried.iter().any(|other| Arc::ptr_eq(other, endpoint));
        after.iter().chain(before).find(untried)
    }

    /// One that was not tried among those that are farther away than the ones that calls choose from: the nearest, by their weights,
    /// and those without a weight last.
    #[cold]
    pub(crate) fn pick_farther(&self, tried: &[Arc<Endpoint>]) -> Option<&Arc<Endpoint>> {
        let is_untried = |endpoint: &Arc<Endpoint>| !tried.iter().any(|other| Arc::ptr_eq(other, endpoint));
        let turns = self.farther.iter().filter(|(_, endpoint)| is_untried(endpoint));
        let turns = turns.map(|(distance, endpoint)| {
            let weight = endpoint.weight();
            // The least of several such numbers is as often each one's as its weight says.
            let turn = if weight > 0.0 {
                -(1.0 - fastrand::f32()).ln() / weight
            } else {
                f32::MAX
            };
            ((weight <= 0.0, *distance), turn, endpoint)
        });
        let first = turns.min_by(|(rank, turn, _), (other, others, _)| {
            rank.cmp(other).then_with(|| turn.total_cmp(others))
        });
        first.map(|(.., endpoint)| endpoint)
    }

    pub(crate) fn refresh(&self, now: Instant) {
        if let Some(picker) = &self.picker {
            picker.refresh(&self.endpoints, now);
        }
    }
}

/// Takes out those that are farther than the nearest one that is well: to be near is no use when sick. Where none is well, all
/// count. One that is to get no calls while others have a weight is not the nearest of them either. Answers whom it took out.
fn keep_the_nearest<'m>(members: &mut Vec<&'m Member>) -> Vec<&'m Member> {
    let has_weight = |member: &Member| member.instance.weight > 0;
    let any_has_weight = members.iter().any(|member| has_weight(member));
    let nearest_of = |is_counted: fn(&Member) -> bool| {
        let counted = members
            .iter()
            .filter(|member| is_counted(member) && (has_weight(member) || !any_has_weight));
        counted.map(|member| member.distance).min()
    };
    let nearest = nearest_of(|member| member.sickness.is_none()).or_else(|| nearest_of(|_| true));
    members
        .extract_if(.., |member| Some(member.distance) != nearest)
        .collect()
}

/// Takes the sick ones out, unless they are too many: then the few healthy ones would break down under the load of all. True
/// if they are.
fn leave_out_the_sick(members: &mut Vec<&Member>, panic: f32) -> bool {
    let well = members.iter().filter(|member| member.sickness.is_none()).count();
    if well == members.len() {
        return false;
    }
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    let panics = panic > 0.0 && (well == 0 || (well as f32) < panic * members.len() as f32);
    if !panics {
        members.retain(|member| member.sickness.is_none());
    }
    panics
}
