//! Calls in process and over gRPC: the same code, the same answers.

use std::{error::Error as _, time::Duration};

use rpc::{
    CallOptions, Channel,
    prelude::*,
    status::{Side, Verdict, reason},
};
use tokio::time::timeout;

use super::support::{Echo, EchoClient, LONG, Named, Running, local};

async fn all_shapes(echo: &impl Echo) {
    assert_eq!(echo.name().await.unwrap(), "a");
    let mut numbers = echo.count(3).await.unwrap();
    for expected in [Some(1), Some(2), Some(3), None] {
        assert_eq!(numbers.message().await.unwrap(), expected);
    }
    assert_eq!(echo.sum(Streaming::from_iter([1, 2, 3])).await.unwrap(), 6);
    let texts = ["x", "", "z"].map(str::to_owned);
    let mut mirrored = echo.mirror(Streaming::from_iter(texts.clone())).await.unwrap();
    for text in texts {
        assert_eq!(mirrored.message().await.unwrap(), Some(text));
    }
    assert_eq!(mirrored.message().await.unwrap(), None);
    let status = echo.fail("no".to_owned()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "no")
    );
    assert_eq!(
        (status.reason(), status.domain()),
        (Some("ASKED_FOR"), Some("client.test"))
    );
    let mut request = Request::new("x-tenant".to_owned());
    request.metadata_mut().insert("x-tenant", "acme").unwrap();
    assert_eq!(echo.header(request).await.unwrap().as_deref(), Some("acme"));
}

#[tokio::test]
async fn a_value_is_a_service() {
    all_shapes(&Named("a".to_owned())).await;
}

#[tokio::test]
async fn a_local_target_calls_a_server_in_this_process() {
    let client = local("a").build().unwrap();
    all_shapes(&EchoClient::new(&client)).await;
    client.ready().await.unwrap();
}

/// The system lists a timer for each socket: 2 while a probe of an idle peer is due, 0 for none.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sockets_have_the_options_that_the_client_was_given() {
    let timers = |port: &str| {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let sockets = table
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let connected = sockets.filter(|socket| socket[2].ends_with(port) && socket[3] == "01");
        connected
            .map(|socket| socket[5][..2].to_owned())
            .collect::<Vec<_>>()
    };
    for framed in [true, false] {
        for (keepalive, timer) in [(Some(Duration::from_secs(15)), "02"), (None, "00")] {
            let server = Running::start("a").await;
            let mut options = rpc::net::SocketOptions::default();
            options.keepalive = keepalive;
            let client = Client::builder()
                .target(server.target())
                .prefer_framed(framed)
                .socket(options)
                .build()
                .unwrap();
            client.ready().await.unwrap();
            let (_, port) = server.address.rsplit_once(':').unwrap();
            let port = format!(":{:04X}", port.parse::<u16>().unwrap());
            // While bytes are not acknowledged, the timer is theirs.
            let all_are = async {
                while !timers(&port).iter().all(|is| is == timer) {
                    tokio::task::yield_now().await;
                }
            };
            timeout(LONG, all_are).await.expect("the options are others");
            assert!(!timers(&port).is_empty());
            server.stop().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_static_target_calls_over_grpc() {
    let server = Running::start("a").await;
    for codec in ["msgpack", "json"] {
        let client = Client::builder()
            .target(server.target())
            .codec(codec)
            .build()
            .unwrap();
        all_shapes(&EchoClient::new(&client)).await;
        timeout(LONG, client.close()).await.unwrap();
    }
    #[cfg(feature = "gzip")]
    all_shapes(&EchoClient::new(
        Client::builder()
            .target(server.target())
            .compression("gzip")
            .build()
            .unwrap(),
    ))
    .await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_bare_client_calls_too() {
    let server = Running::start("a").await;
    let client = Client::builder()
        .target(server.target())
        .without_governance()
        .build()
        .unwrap();
    all_shapes(&EchoClient::new(&client)).await;
    server.stop().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_target_calls_over_a_unix_socket() {
    use super::support::EchoServer;
    let path = std::env::temp_dir().join(format!("rpc-client-it-{}.sock", std::process::id()));
    let server = Server::builder()
        .add_service(EchoServer::new(Named("a".to_owned())))
        .without_signals();
    let target = format!("unix:{}", path.display());
    let bound = server.build().unwrap().bind(target.as_str()).await.unwrap();
    let handle = bound.handle();
    let serving = tokio::spawn(bound.serve());
    let client = Client::builder().target(target).build().unwrap();
    all_shapes(&EchoClient::new(&client)).await;
    handle.shutdown();
    timeout(LONG, serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn nobody_there_says_where_and_why() {
    // It is bound, and does not listen: nobody else can get the port meanwhile.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap();
    let client = Client::builder()
        .target(format!("static://{address}"))
        .build()
        .unwrap();
    let status = timeout(LONG, EchoClient::new(&client).name())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::NO_ENDPOINT))
    );
    assert!(!status.was_processed());
    assert!(status.message().contains(&address.to_string()), "{status}");
    assert_eq!(status.place().path(), Some("/client.test.v1.Echo/Name"));
    let source = status.source().unwrap().downcast_ref::<Status>().unwrap();
    assert_eq!(source.reason(), Some(reason::CONNECT_FAILED));
    assert_eq!(Verdict::of(Err(source)), Verdict::Failed);
    let status = timeout(LONG, client.ready()).await.unwrap().unwrap_err();
    assert_eq!(status.reason(), Some(reason::NO_ENDPOINT));
}

#[tokio::test]
async fn a_codec_that_is_not_offered() {
    let client = local("a").codec("morse").build().unwrap();
    let status = EchoClient::new(&client).name().await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unimplemented, Some(reason::CODEC_UNKNOWN))
    );
    // What a stub's options leave open stays as the client has it.
    let short = CallOptions::new().with_timeout(Duration::from_secs(5));
    let status = EchoClient::new(&client)
        .with_options(short)
        .name()
        .await
        .unwrap_err();
    assert_eq!(status.reason(), Some(reason::CODEC_UNKNOWN));
    let channel: Channel = Channel::from(&client).with_options(CallOptions::new().with_codec("json"));
    assert_eq!(EchoClient::new(channel).name().await.unwrap(), "a");
}

#[tokio::test]
async fn a_refusal_that_a_request_stream_got_from_another_call_is_none_of_this_one() {
    let server = Running::start("a").await;
    let elsewhere = local("a").codec("morse").build().unwrap();
    let remote = || Client::builder().target(server.target());
    for builder in [local("a"), remote(), remote().prefer_framed(false)] {
        let client = builder.build().unwrap();
        let refusal = EchoClient::new(&elsewhere).name().await.unwrap_err();
        assert!(!refusal.was_processed());
        let (sender, numbers) = Streaming::channel(2);
        sender.send(1).await.unwrap();
        sender.fail(refusal);
        let echo = EchoClient::new(&client);
        let status = timeout(LONG, echo.sum(numbers)).await.unwrap().unwrap_err();
        assert_eq!(status.reason(), Some(reason::CODEC_UNKNOWN));
        assert!(status.was_processed() && !status.is_retryable(), "{status}");
        let place = status.place();
        assert_eq!(
            (place.path(), place.side()),
            (Some("/client.test.v1.Echo/Sum"), Some(Side::Client))
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_closed_client_takes_no_call() {
    let server = Running::start("a").await;
    for builder in [local("a"), Client::builder().target(server.target())] {
        let client = builder.build().unwrap();
        let echo = EchoClient::new(&client);
        echo.name().await.unwrap();
        timeout(LONG, client.close()).await.unwrap();
        assert_eq!(
            echo.name().await.unwrap_err().reason(),
            Some(reason::CHANNEL_CLOSED)
        );
        assert_eq!(
            client.ready().await.unwrap_err().reason(),
            Some(reason::CHANNEL_CLOSED)
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn closing_waits_for_streams() {
    let server = Running::start("a").await;
    let client = Client::builder().target(server.target()).build().unwrap();
    let mut numbers = EchoClient::new(&client).drip(1).await.unwrap();
    numbers.message().await.unwrap();
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    for _ in 0..20 {
        assert!(numbers.message().await.unwrap().is_some());
        assert!(!closing.is_finished());
    }
    drop(numbers);
    timeout(LONG, closing).await.unwrap().unwrap();
    server.stop().await.unwrap();
}
