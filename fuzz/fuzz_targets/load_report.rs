//! Load reports: what is taken is a load, and comes back as it is.

#![no_main]

use rpc_core::load::LoadReport;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(report) = LoadReport::decode(input) {
        assert!(report.cpu_utilization() >= 0.0 && report.eps() >= 0.0 && report.rps() >= 0.0);
        assert!(report.utilizations().all(|(_, share)| (0.0..=1.0).contains(&share)));
        assert_eq!(LoadReport::decode(&report.encode()), Ok(report));
    }
});
