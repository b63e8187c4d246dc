//! rpc-lb
