//! Matchers, as a rule's document says them: what is read is within its limits, is written and read the same, and any call
//! can be asked.

#![no_main]

use rpc_core::{
    Body, Call, Method, MethodDescriptor, Shape,
    codec::{Json, MessageCodec},
    matcher::{Matcher, RequestKey},
    message::Typed,
};

static METHOD: MethodDescriptor = MethodDescriptor::new("/shop.v1.Inventory/Stock", Shape::Unary);

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(matcher) = serde_json::from_str::<Matcher>(text) else {
        return;
    };
    assert!(matcher.conditions().len() <= Matcher::MAX_CONDITIONS);
    let written = serde_json::to_string(&matcher).expect("what was read can be written");
    let again: Matcher = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("it was written before"), written);

    let request = (text.to_owned(), text.len(), vec![text.to_owned()]);
    let mut request = Typed::new(request, MessageCodec::of::<Json>());
    let mut call = Call::new(Method::Static(&METHOD), "json", Body::Value(&mut request));
    RequestKey::draw(&mut call);
    assert_eq!(matcher.matches(&call), again.matches(&call));
});
