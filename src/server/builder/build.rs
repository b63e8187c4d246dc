//! From what was said to a server: it is checked first.

use std::{sync::Arc, time::Duration};

use rpc_core::{BuildError, server::Router};
use rpc_registry::{Instance, InstanceHandle, InstanceState, Target};

use super::ServerBuilder;
use crate::{
    schemes::{self, given_to},
    server::{
        HealthReporter, Server, ServerHandle,
        advertise::outward,
        announce::Plan,
        announcements::Teller,
        built_in::{HAS_HEALTH, add_health, add_load},
        handle::StoppedOnDrop,
        serve::Parts,
        shutdown::Times,
        stack,
    },
};

/// The notice where no registry asks for more: health is pushed to those who watch it.
const NOTICE: Duration = Duration::from_millis(100);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);
const STREAM_GRACE: Duration = Duration::from_secs(5);

impl ServerBuilder {
    /// Checks it all and makes the server.
    ///
    /// # Errors
    /// For the first mistake, with the name of the method that was called wrongly, or not called: no service, one that is
    /// there already, a limit of zero, options that contradict each other.
    pub fn build(self) -> Result<Server, BuildError> {
        self.check()?;
        let health = self.health.unwrap_or_default();
        let mut router = Router::new();
        for service in self.services {
            health.add(service.descriptor().name());
            router.add(service)?;
        }
        if !self.without_health {
            add_health(&mut router, &health)?;
        }
        let mut hooks = self.hooks;
        if let Some(load) = &self.load {
            add_load(&mut router, load)?;
            // The outermost one: what others refuse is counted.
            hooks.insert(0, Box::new(load.hook()));
        }
        #[cfg_attr(
            not(any(feature = "grpc", feature = "framed")),
            allow(unused_mut, reason = "nothing is added to what the user gave")
        )]
        let mut transports = self.transports;
        let mut protocols: Vec<_> = transports.iter().map(|transport| transport.protocol()).collect();
        #[cfg(all(feature = "grpc", feature = "framed"))]
        let (usual, has_http_layers) = (crate::server::framed::like(&self.grpc), self.grpc.has_layers());
        #[cfg(all(feature = "framed", not(feature = "grpc")))]
        let (usual, has_http_layers) = (rpc_framed::ServerConfig::default(), false);
        #[cfg(feature = "grpc")]
        self.grpc
            .finish(self.listen.handshake_timeout, &mut transports, &mut protocols)?;
        // After gRPC: a few bytes tell them apart, and those who know no other protocol look at the first that is listed.
        #[cfg(feature = "framed")]
        self.framed.finish(
            usual,
            has_http_layers,
            self.listen.handshake_timeout,
            &mut transports,
            &mut protocols,
        )?;
        if transports.is_empty() {
            return Err(BuildError::new(
                "transport",
                "nothing can be spoken: enable the feature `grpc`, or add one",
            ));
        }
        protocols.dedup();
        let grace = self.shutdown_grace.unwrap_or(SHUTDOWN_GRACE);
        let mut places = self.places;
        let names = places.iter().map(|place| Arc::from(place.name.as_str()));
        let targets = self.targets.iter().map(|target| Arc::from(target.as_str()));
        let teller = Teller::new(names.chain(targets));
        let mut embedded = self.embedded;
        for target in &self.targets {
            let target: Target = target.parse().map_err(given_to("announce_at"))?;
            schemes::check_memory(&self.schemes, &target)?;
            embedded += usize::from(target.scheme() == "memory");
            places.push(self.schemes.registry(&target).map_err(given_to("announce_at"))?);
        }
        let asked = places.iter().map(|place| place.registry.notice()).max();
        let advertise = self.advertise.as_deref().map(str::parse).transpose()?;
        let mut instance = self.instance.unwrap_or_else(|| Instance::new(random_id()));
        if self.disabled {
            instance.state = InstanceState::Disabled;
        }
        let times = Times {
            notice: self.notice.or(asked).unwrap_or(NOTICE),
            grace,
            stream_grace: self.stream_grace.unwrap_or(STREAM_GRACE).min(grace),
        };
        #[cfg(feature = "tls")]
        let secure = self.listen.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        let parts = Parts {
            dispatch: stack::assemble(router, self.lanes, hooks, &self.layers),
            transports,
            protocols,
            listen: self.listen,
            times,
            health,
            load: self.load,
            announce: Plan {
                is_seen_outside: places.len() > embedded,
                places,
                teller,
                instance: InstanceHandle::new(instance),
                advertise,
                outward,
                secure,
                local: self.local,
            },
            signals: self.signals,
        };
        Ok(Server {
            parts,
            stopped: StoppedOnDrop(ServerHandle::new()),
        })
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |field, problem| Err(BuildError::new(field, problem));
        if self.services.is_empty() {
            return wrong(
                "add_service",
                "a server without a service answers nothing: add one",
            );
        }
        if self.lanes.is_outbound() {
            return wrong(
                "lanes",
                "is for calls that go out, and calls come in here: `LaneHook::inbound()` is wanted",
            );
        }
        if self.listen.max_connections == 0 {
            return wrong(
                "max_connections",
                "no connection fits into 0: at least 1 is wanted",
            );
        }
        if self.listen.handshake_timeout.is_zero() {
            return wrong("handshake_timeout", "no handshake fits into zero time");
        }
        self.listen.socket.check()?;
        let is_announced = !self.places.is_empty() || !self.targets.is_empty();
        if self.health.is_some() && !is_announced {
            if self.without_health {
                return wrong(
                    "health",
                    "a reporter is of no use with `without_health` and without a registry: leave one of both out",
                );
            }
            if !HAS_HEALTH {
                return wrong(
                    "health",
                    "the health service needs the feature `prost`, and there is no registry that would heed the reporter: \
                     enable it, or leave the reporter out",
                );
            }
        }
        if self.health.as_ref().is_some_and(HealthReporter::is_over) {
            return wrong(
                "health",
                "the server of this reporter has stopped, and nothing serves with it any more: make a new one",
            );
        }
        if self.stream_grace > Some(self.shutdown_grace.unwrap_or(SHUTDOWN_GRACE)) {
            return wrong(
                "stream_grace",
                "streams cannot get more time than `shutdown_grace` gives to all calls",
            );
        }
        let for_registries = [
            (self.instance.is_some() && self.local.is_empty(), "instance"),
            (self.disabled, "start_disabled"),
            (self.advertise.is_some(), "advertise"),
        ];
        if let Some((_, field)) = for_registries
            .into_iter()
            .find(|(said, _)| *said && !is_announced)
        {
            return wrong(
                field,
                "there is no registry to announce it in: add one with `announce_at` or `register`",
            );
        }
        let has_addresses = self
            .instance
            .as_ref()
            .is_some_and(|instance| !instance.addresses.is_empty());
        if self.advertise.is_some() && has_addresses {
            return wrong(
                "advertise",
                "the instance has addresses of its own, which are announced: leave one of both out",
            );
        }
        if let Some(Err(fault)) = self.instance.as_ref().map(Instance::check_written) {
            return Err(BuildError::new("instance", fault.to_string()).with_source(fault));
        }
        if self.places.iter().any(|place| place.name.is_empty()) {
            return wrong(
                "register",
                "the name is empty: give the one that targets end with, `shop` in `memory:///shop`",
            );
        }
        Ok(())
    }
}

fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
