//! rpc-build
