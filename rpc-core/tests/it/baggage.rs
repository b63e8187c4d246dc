//! W3C baggage.

use proptest::prelude::*;
use rpc_core::context::Baggage;

#[test]
fn members_with_properties() {
    let baggage = Baggage::parse("a=1;ttl=5;secret , b = two%20words\t,c=");
    assert_eq!(
        baggage.iter().collect::<Vec<_>>(),
        [("a", "1"), ("b", "two words"), ("c", "")]
    );
    assert_eq!(baggage.properties("a"), Some("ttl=5;secret"));
    assert_eq!(
        (baggage.properties("b"), baggage.properties("none")),
        (Some(""), None)
    );
    assert_eq!(baggage.to_string(), "a=1;ttl=5;secret,b=two%20words,c=");
}

#[test]
fn malformed_members_are_passed_over() {
    let baggage = Baggage::parse("a=1,,b,=3, c d=4,e=%zz%4,\u{e4}=5,f=6=7;;");
    let members: Vec<_> = baggage.iter().collect();
    assert_eq!(members, [("a", "1"), ("e", "%zz%4"), ("f", "6=7")]);
    assert_eq!(baggage.to_string(), "a=1,e=%25zz%254,f=6=7");
    assert_eq!(Baggage::parse("a=%FF").get("a"), Some("\u{fffd}"));
    assert!(Baggage::parse("").is_empty() && Baggage::parse(",;=").is_empty());
}

#[test]
fn a_name_has_one_value() -> Result<(), rpc_core::context::InvalidBaggage> {
    let baggage = Baggage::parse("a=1,b=2,a=3").with("b", "\u{e4} \"quoted\", and more")?;
    assert_eq!(baggage.to_string(), "a=3,b=%C3%A4%20%22quoted%22%2C%20and%20more");
    let baggage = baggage
        .with_properties("c", "", "ttl=5")?
        .without("a")
        .without("none");
    assert_eq!(
        (baggage.len(), baggage.get("a"), baggage.properties("c")),
        (2, None, Some("ttl=5"))
    );
    Ok(())
}

#[test]
fn what_cannot_be_sent_is_refused() {
    for name in ["", "a b", "a=b", "a,b", "\u{e4}", "\"a\""] {
        assert!(Baggage::new().with(name, "1").is_err(), "{name}");
    }
    for properties in ["a,b", "\"", "a\\b", "a\nb", "\u{e4}"] {
        assert!(
            Baggage::new().with_properties("a", "1", properties).is_err(),
            "{properties}"
        );
    }
}

#[test]
fn limits_drop_whole_members() {
    let many: Vec<String> = (0..100).map(|i| format!("k{i}=v")).collect();
    let baggage = Baggage::parse(&many.join(","));
    assert_eq!(baggage.len(), Baggage::MAX_MEMBERS);
    assert_eq!(baggage.get("k63"), Some("v"));
    assert_eq!(baggage.get("k64"), None);
    assert!(baggage.clone().with("one-more", "1").is_err());
    assert!(baggage.with("k0", "another").is_ok());

    // A header of exactly the limit passes whole.
    let header = format!(
        "a={},b={}",
        "x".repeat(4000),
        "y".repeat(Baggage::MAX_BYTES - 4000 - 5)
    );
    assert_eq!(header.len(), Baggage::MAX_BYTES);
    assert_eq!(Baggage::parse(&header).to_string(), header);
    let baggage = Baggage::parse(&format!("{header}y,c=3"));
    assert_eq!(
        baggage.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert!(Baggage::parse(&header).with("d", "").is_err());
    assert!(Baggage::parse(&header).without("a").with("d", "").is_ok());
}

proptest! {
    #[test]
    fn any_text_round_trips(members in proptest::collection::vec(("[a-zA-Z0-9!#$&'*+.^_`|~-]{1,8}", ".{0,12}"), 0..20)) {
        let mut baggage = Baggage::new();
        for (name, value) in &members {
            baggage = baggage.with(name, value).expect("legal");
        }
        let header = baggage.to_string();
        prop_assert!(header.bytes().all(|b| (0x21..=0x7e).contains(&b)));
        prop_assert_eq!(Baggage::parse(&header), baggage);
    }

    #[test]
    fn any_header_is_read_and_bounded(header in "[ -~\u{e4}]{0,200}") {
        let baggage = Baggage::parse(&header);
        let again = baggage.to_string();
        prop_assert!(again.len() <= Baggage::MAX_BYTES);
        prop_assert_eq!(Baggage::parse(&again), baggage);
    }
}
