//! The services that a server adds by itself.

#[cfg(feature = "prost")]
use std::sync::Arc;

use rpc_core::server::Router;
use rpc_governance::server::load::LoadReporter;

use super::HealthReporter;
use crate::BuildError;

/// Whether there is a health service in this build.
pub(super) const HAS_HEALTH: bool = cfg!(feature = "prost");

#[cfg(feature = "prost")]
pub(super) fn add_health(router: &mut Router, health: &HealthReporter) -> Result<(), BuildError> {
    let service = Arc::new(super::health::HealthService::new(health.clone()));
    router.add(service).map_err(|_| {
        let problem = "a service named `grpc.health.v1.Health` was added, and the built-in one is on: call \
                       `without_health` to use your own";
        BuildError::new("add_service", problem)
    })
}

#[cfg(not(feature = "prost"))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail where the feature is on")]
pub(super) fn add_health(_: &mut Router, _: &HealthReporter) -> Result<(), BuildError> {
    tracing::info!("no health service: it needs the feature `prost`; `without_health()` if none is wanted");
    Ok(())
}

#[cfg(feature = "prost")]
pub(super) fn add_load(router: &mut Router, load: &LoadReporter) -> Result<(), BuildError> {
    let service = rpc_governance::server::load::LoadService::new(load.clone());
    router.add(Arc::new(service)).map_err(|_| {
        let problem =
            "a service named `xds.service.orca.v3.OpenRcaService` was added, and `report_load` adds its own";
        BuildError::new("report_load", problem)
    })
}

#[cfg(not(feature = "prost"))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail where the feature is on")]
pub(super) fn add_load(_: &mut Router, _: &LoadReporter) -> Result<(), BuildError> {
    Ok(())
}
