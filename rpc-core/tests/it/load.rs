//! Load reports: what they hold, and what is refused.

use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use rpc_core::{
    Metadata, Request, Response, Result, client,
    load::{CORES, IN_FLIGHT, LoadReport, TRAILER, wire::OrcaLoadReport},
};

use crate::support::{Numbers, ONE};

fn full() -> LoadReport {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(1.5).unwrap();
    report.set_mem_utilization(0.5).unwrap();
    report.set_application_utilization(2.0).unwrap();
    report.set_rps(100.25).unwrap();
    report.set_eps(0.5).unwrap();
    report.set_utilization("gpu", 0.7).unwrap();
    report.set_named_metric(IN_FLIGHT, 3.0).unwrap();
    report.set_named_metric(CORES, 1.5).unwrap();
    report.set_named_metric("outdoors", -4.0).unwrap();
    report.set_request_cost("rows", 12.0).unwrap();
    report
}

#[test]
fn a_report_comes_back_as_it_was() {
    let report = full();
    let mut trailers = Metadata::new();
    assert!(LoadReport::from_trailers(&trailers).is_none());
    trailers.insert_bin(TRAILER, report.encode()).unwrap();
    let received = LoadReport::from_trailers(&trailers).unwrap().unwrap();
    assert_eq!(received, report);
    assert_eq!(received.in_flight(), Some(3.0));
    assert_eq!(received.cores(), Some(1.5));
    assert_eq!(
        received.utilizations().collect::<Vec<_>>(),
        [("gpu", 0.7)],
        "by name"
    );
    assert_eq!(received.request_costs().collect::<Vec<_>>(), [("rows", 12.0)]);
    assert!(LoadReport::decode(&[]).unwrap().is_empty());
}

#[tokio::test]
async fn a_response_that_is_passed_on_does_not_report_for_its_backend() -> Result<()> {
    let back = Numbers::new()
        .on_one(|_| async {
            let mut response = Response::new(1);
            response
                .trailers_mut()
                .insert_bin(TRAILER, full().encode())
                .unwrap();
            response.trailers_mut().insert("x-rows", "1").unwrap();
            Ok(response)
        })
        .channel();
    let asked = client::unary(&back, &ONE, Request::new(1)).await?;
    assert!(
        asked.trailers().contains_key(TRAILER),
        "whoever asked it reads it"
    );
    let front = Numbers::new()
        .on_one(move |request| {
            let back = back.clone();
            async move {
                Ok(client::unary(&back, &ONE, request)
                    .await?
                    .map(|number| number + 1))
            }
        })
        .channel();
    let response = client::unary(&front, &ONE, Request::new(1)).await?;
    assert_eq!(*response.message(), 2);
    assert_eq!(response.trailers().get("x-rows"), Some("1"));
    assert!(!response.trailers().contains_key(TRAILER));
    Ok(())
}

#[tokio::test]
async fn what_a_handler_reports_itself_takes_the_place_of_its_backends() -> Result<()> {
    let back = Numbers::new()
        .on_one(|_| async {
            let mut response = Response::new(1);
            let report = full().encode();
            response.trailers_mut().insert_bin(TRAILER, report).unwrap();
            Ok(response)
        })
        .channel();
    let front = Numbers::new()
        .on_one(move |request| {
            let back = back.clone();
            async move {
                let mut response = client::unary(&back, &ONE, request).await?;
                let own = LoadReport::new().encode();
                response.trailers_mut().insert_bin(TRAILER, own).unwrap();
                Ok(response)
            }
        })
        .channel();
    let response = client::unary(&front, &ONE, Request::new(1)).await?;
    let own = LoadReport::new().encode();
    assert_eq!(response.trailers().get_bin(TRAILER), Some(own));
    Ok(())
}

/// Written by hand from the `.proto` files: field numbers and wire types.
#[test]
fn the_bytes_are_those_of_orca() {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(0.5).unwrap();
    report.set_rps(2.0).unwrap();
    report.set_utilization("g", 1.0).unwrap();
    let half = [0x09, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f];
    let entry = [0x2a, 12, 0x0a, 1, b'g', 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
    let two = [0x31, 0, 0, 0, 0, 0, 0, 0, 0x40];
    assert_eq!(report.encode(), [&half[..], &entry, &two].concat());
}

#[test]
fn numbers_that_are_no_load_are_refused_with_the_fields_name() {
    let mut report = full();
    let before = report.clone();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.001] {
        let found = [
            report.set_cpu_utilization(bad),
            report.set_mem_utilization(bad),
            report.set_application_utilization(bad),
            report.set_rps(bad),
            report.set_eps(bad),
            report.set_utilization("gpu", bad),
            report.set_request_cost("rows", bad),
        ];
        let fields = found.map(|result| result.unwrap_err().field().to_owned());
        let expected = [
            "cpu_utilization",
            "mem_utilization",
            "application_utilization",
            "rps_fractional",
            "eps",
            "utilization[gpu]",
            "request_cost[rows]",
        ];
        assert_eq!(fields, expected);
    }
    assert!(report.set_named_metric("x", f64::NAN).is_err());
    assert!(report.set_mem_utilization(1.1).is_err());
    assert!(report.set_utilization("gpu", 1.1).is_err());
    assert_eq!(report, before, "a refused value changes nothing");
}

#[test]
fn a_peer_cannot_say_what_we_refuse_to_say() {
    let mut message = OrcaLoadReport::default();
    message.eps = -1.0;
    assert_eq!(LoadReport::from_message(message).unwrap_err().field(), "eps");
    let mut message = OrcaLoadReport::default();
    message.utilization.insert("gpu".to_owned(), f64::NAN);
    let error = LoadReport::decode(&message.encode_to_vec()).unwrap_err();
    assert_eq!(error.field(), "utilization[gpu]");
    let mut message = OrcaLoadReport::default();
    message.named_metrics.insert("x".repeat(129), 1.0);
    assert!(LoadReport::from_message(message).is_err());
    assert!(LoadReport::decode(&vec![0; LoadReport::MAX_BYTES + 1]).is_err());
    assert!(LoadReport::decode(&[0xff]).is_err());
}

#[test]
fn names_are_bounded_in_number() {
    let mut report = LoadReport::new();
    for number in 0..LoadReport::MAX_NAMES {
        report.set_named_metric(&format!("metric{number}"), 1.0).unwrap();
    }
    assert_eq!(
        report.set_utilization("gpu", 0.5).unwrap_err().field(),
        "utilization"
    );
    // Another value of a known name needs no room.
    report.set_named_metric("metric0", 2.0).unwrap();
    assert!(report.remove_named_metric("metric1"));
    report.set_utilization("gpu", 0.5).unwrap();
    assert_eq!(LoadReport::decode(&report.encode()).unwrap(), report);
    let mut message = report.to_message();
    message.request_cost.insert("rows".to_owned(), 1.0);
    assert_eq!(
        LoadReport::from_message(message).unwrap_err().field(),
        "request_cost"
    );
}

#[test]
fn the_older_count_of_calls_is_understood() {
    let mut message = OrcaLoadReport::default();
    message.rps = 7;
    let mut expected = LoadReport::new();
    expected.set_rps(7.0).unwrap();
    assert_eq!(LoadReport::from_message(message.clone()), Ok(expected.clone()));
    message.rps_fractional = 7.5;
    expected.set_rps(7.5).unwrap();
    assert_eq!(LoadReport::from_message(message), Ok(expected));
}

proptest! {
    /// Whatever arrives is refused or is a report of loads, which comes back as it is.
    #[test]
    fn any_bytes_are_a_report_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn any_message_is_a_report_or_refused(
        scalars in any::<[f64; 5]>(),
        names in vec(("[a-z]{0,3}", any::<f64>()), 0..40),
    ) {
        let mut message = OrcaLoadReport::default();
        [
            message.cpu_utilization,
            message.mem_utilization,
            message.rps_fractional,
            message.eps,
            message.application_utilization,
        ] = scalars;
        message.named_metrics = names.into_iter().collect();
        check(&message.encode_to_vec())?;
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(report) = LoadReport::decode(bytes) else {
        return Ok(());
    };
    let loads = [
        report.cpu_utilization(),
        report.mem_utilization(),
        report.application_utilization(),
        report.rps(),
        report.eps(),
    ];
    prop_assert!(loads.iter().all(|load| load.is_finite() && *load >= 0.0));
    prop_assert!(
        report
            .named_metrics()
            .all(|(name, value)| value.is_finite() && !name.is_empty())
    );
    let encoded = report.encode();
    prop_assert!(encoded.len() <= LoadReport::MAX_BYTES);
    prop_assert_eq!(LoadReport::decode(&encoded).unwrap(), report);
    Ok(())
}
