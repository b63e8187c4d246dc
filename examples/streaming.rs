//! The three streaming shapes: `cargo run --example streaming`.
//!
//! A stream as an argument, as a result, or both. Streams are pulled: a reader that is slow stops the sender.

use rpc::prelude::*;

#[rpc::service(package = "sum.v1")]
trait Numbers {
    /// The numbers from 1 to `last`.
    async fn count(&self, last: u32) -> Result<Streaming<u32>>;

    /// The sum of all numbers, once the last one has come.
    async fn sum(&self, numbers: Streaming<u32>) -> Result<u64>;

    /// The sum so far, after each number.
    async fn running_sum(&self, numbers: Streaming<u32>) -> Result<Streaming<u64>>;
}

struct Calculator;

impl Numbers for Calculator {
    async fn count(&self, last: u32) -> Result<Streaming<u32>> {
        Ok(Streaming::from_iter(1..=last))
    }

    async fn sum(&self, mut numbers: Streaming<u32>) -> Result<u64> {
        let mut sum = 0;
        while let Some(number) = numbers.message().await? {
            sum += u64::from(number);
        }
        Ok(sum)
    }

    async fn running_sum(&self, mut numbers: Streaming<u32>) -> Result<Streaming<u64>> {
        // A task feeds the answer. It ends by itself when the caller goes away.
        let (sender, sums) = Streaming::channel(8);
        rpc::spawn(async move {
            let mut sum = 0;
            loop {
                match numbers.message().await {
                    Ok(Some(number)) => sum += u64::from(number),
                    Ok(None) => return,
                    Err(status) => return sender.fail(status),
                }
                if sender.send(sum).await.is_err() {
                    return;
                }
            }
        });
        Ok(sums)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(NumbersServer::new(Calculator))
        .build()?
        .bind("127.0.0.1:0")
        .await?;
    let (address, stop) = (server.local_addresses()[0].clone(), server.handle());
    let serving = tokio::spawn(server.serve());
    let client = Client::builder().target(format!("static://{address}")).build()?;
    let numbers = NumbersClient::new(&client);

    // The callee sends a stream.
    let mut counted = numbers.count(5).await?;
    while let Some(number) = counted.message().await? {
        println!("counted {number}");
    }

    // The caller sends one.
    println!(
        "the sum of 1 to 1000 is {}",
        numbers.sum(Streaming::from_iter(1..=1000)).await?
    );

    // Both do: what is sent next may depend on what came back.
    let (sender, sent) = Streaming::channel(1);
    let mut sums = numbers.running_sum(sent).await?;
    let mut next = 1;
    while sender.send(next).await.is_ok() {
        let Some(sum) = sums.message().await? else { break };
        println!("{next} more makes {sum}");
        if sum > 100 {
            break;
        }
        next *= 2;
    }
    // Without a sender the request stream ends, and with it the answer.
    drop(sender);
    assert_eq!(sums.message().await?, None);

    client.close().await;
    stop.shutdown();
    serving.await??;
    Ok(())
}
