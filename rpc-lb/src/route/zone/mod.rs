//! Calls stay in the zone of their caller, as far as there is room.
//!
//! # What
//! A call that leaves its zone takes longer and may cost money. But where the zones are not equally well served, calls that
//! all stay at home overload the few endpoints of one zone while those of another idle. So each zone keeps as much as its
//! endpoints can take, and the rest spills over to where there is more than the callers there need.
//!
//! # How much
//! Let `u` be the share of a zone in the endpoints' weights, and `o` its share in the callers. In the caller's own zone:
//!
//! - `u >= o`: all calls stay.
//! - else the part `u / o` stays. The rest goes to the other zones, in proportion to what each has left, `max(0, u - o)` of
//!   that zone.
//!
//! This is Envoy's [zone aware routing][envoy]; like there it is off while fewer than [`min_endpoints`] of them are well, and
//! while less than the part [`panic`] of them is: then all endpoints get calls alike.
//!
//! # Where the callers' shares come from
//! They are settings: a client does not see how many others there are. Without them, callers are taken to be spread evenly
//! over the zones that there are endpoints in. Who knows better (the caller's own service is in the same registry, after all)
//! sets [`ZoneConfig::callers`].
//!
//! # Nobody left
//! Never: this router divides what is left, and a zone without a well endpoint gets no share. A zone whose endpoints go
//! has its calls taken over by the others at once. An attempt elsewhere goes to any zone.
//!
//! # Position
//! Last: the shares are those of the endpoints that all other routers have left. Nearer ones, in this process or on this
//! host, come first.
//!
//! [envoy]: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/zone_aware
//! [`min_endpoints`]: ZoneConfig::min_endpoints
//! [`panic`]: ZoneConfig::panic

mod config;
mod router;

pub use self::{config::ZoneConfig, router::ZoneRouter};
