//! What is left of the endpoints while a chain narrows them.

use std::sync::Arc;

use rpc_registry::Instance;

use crate::{
    Endpoint,
    snapshot::{Member, suspects_count},
};

/// The endpoints that a request may still go to.
#[derive(Debug, Clone)]
pub struct Candidates<'s> {
    members: &'s [Member],
    left: Vec<u32>,
    /// There are some among the members.
    has_suspects: bool,
    /// Whether those are called like the others, where that was decided for more than these.
    suspects_count: Option<bool>,
    reason: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'s> {
    /// The endpoint.
    pub endpoint: &'s Arc<Endpoint>,
    /// Its instance's record.
    pub instance: &'s Instance,
    /// Whether it is connected; one that is not may become so soon.
    pub is_ready: bool,
    /// Whether it is connected, not sick, and listed by its registry; or held back, where at least as many of those that are
    /// left are held back as are listed: it is the registry then that is not well.
    pub is_well: bool,
}

impl<'s> Candidates<'s> {
    pub(crate) fn all(members: &'s [Member]) -> Self {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "nobody has four thousand million instances"
        )]
        let left = (0..members.len() as u32).collect();
        Self {
            members,
            left,
            has_suspects: members.iter().any(|member| member.is_suspect),
            suspects_count: None,
            reason: None,
        }
    }

    /// Those that are left.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'s>> {
        let (members, suspects_count) = (self.members, self.suspects_count());
        self.left
            .iter()
            .map(move |index| members[*index as usize].candidate(suspects_count))
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// True if none is left.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Keeps those that fit, be it none.
    pub fn retain(&mut self, mut fits: impl FnMut(Candidate<'s>) -> bool) {
        let (members, suspects_count) = (self.members, self.suspects_count());
        self.left
            .retain(|index| fits(members[*index as usize].candidate(suspects_count)));
    }

    /// Keeps those that fit, if any does; else leaves all. Says whether any did.
    pub fn prefer(&mut self, mut fits: impl FnMut(Candidate<'s>) -> bool) -> bool {
        let (members, suspects_count) = (self.members, self.suspects_count());
        let fitting = |index: &&u32| fits(members[**index as usize].candidate(suspects_count));
        let left: Vec<_> = self.left.iter().filter(fitting).copied().collect();
        let any = !left.is_empty();
        if any {
            self.left = left;
        }
        any
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        self.left.clear();
    }

    /// Says why they were narrowed: which rule, what for. It is shown to who asks why a call went where it went.
    pub fn because(&mut self, reason: impl Into<String>) {
        self.reason = Some(reason.into());
    }

    /// True if some of those that are well are nearer than others: in this process, on this host.
    pub(super) fn differ_in_distance(&self) -> bool {
        let suspects_count = self.suspects_count();
        let mut distances = self
            .members()
            .filter(|member| member.is_well(suspects_count))
            .map(|member| member.distance);
        distances
            .next()
            .is_some_and(|first| distances.any(|other| other != first))
    }

    /// Whether suspects are called like the others.
    pub(crate) fn suspects_count(&self) -> bool {
        let count = || suspects_count(self.members());
        self.has_suspects && self.suspects_count.unwrap_or_else(count)
    }

    /// The same answer for these, which are a part of `all`: who divides by it must find it so in each part.
    pub(super) fn part_of(&mut self, all: &Self) {
        self.suspects_count = Some(all.suspects_count());
    }

    fn members(&self) -> impl Iterator<Item = &'s Member> {
        let members = self.members;
        self.left.iter().map(move |index| &members[*index as usize])
    }

    pub(super) fn left(&self) -> &[u32] {
        &self.left
    }

    pub(super) fn take_reason(&mut self) -> Option<String> {
        self.reason.take()
    }

    pub(crate) fn into_left(self) -> Vec<u32> {
        self.left
    }
}
