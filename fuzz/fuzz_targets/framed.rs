//! Prefaces and frames of the framed protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rpc_framed::fuzzing::framed(input));
