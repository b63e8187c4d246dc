//! What is asked of etcd, where a real one does not show it.

use std::sync::Mutex;

use rpc_core::{
    server::{Dispatch, Router},
    status::reason,
    transport::LocalTransport,
};

use super::*;
use crate::api::{
    CompactionResponse, DeleteRangeResponse, KV, KVServer, PutResponse, RangeResponse, ResponseHeader,
    TxnResponse,
};

/// Keys, each of so many bytes, in answers of at most 1000 bytes.
#[derive(Clone, Default)]
struct Store {
    sizes: Arc<Vec<usize>>,
    /// What is said instead.
    refusal: Option<Status>,
    /// The limits that were asked with.
    asked: Arc<Mutex<Vec<i64>>>,
}

impl KV for Store {
    async fn range(&self, request: Request<RangeRequest>) -> Result<RangeResponse> {
        let request = request.into_inner();
        self.asked.lock().unwrap().push(request.limit);
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let keys = self
            .sizes
            .iter()
            .enumerate()
            .map(|(n, size)| (format!("/{n:05}"), *size));
        let left: Vec<_> = keys
            .filter(|(key, _)| key.as_bytes() >= &request.key[..])
            .collect();
        let page: Vec<_> = left
            .iter()
            .take(usize::try_from(request.limit).unwrap())
            .collect();
        if page.iter().map(|(_, size)| size).sum::<usize>() > 1000 {
            return Err(Status::resource_exhausted("too large").with_reason(reason::MESSAGE_TOO_LARGE));
        }
        let kvs = page.iter().map(|(key, _)| KeyValue {
            key: key.clone().into(),
            ..KeyValue::default()
        });
        Ok(RangeResponse {
            header: Some(ResponseHeader {
                cluster_id: 1,
                revision: 1,
            }),
            kvs: kvs.collect(),
            more: page.len() < left.len(),
        })
    }

    async fn put(&self, _: Request<PutRequest>) -> Result<PutResponse> {
        Err(not_here())
    }

    async fn delete_range(&self, _: Request<DeleteRangeRequest>) -> Result<DeleteRangeResponse> {
        Err(not_here())
    }

    async fn txn(&self, _: Request<TxnRequest>) -> Result<TxnResponse> {
        Err(not_here())
    }

    async fn compact(&self, _: Request<CompactionRequest>) -> Result<CompactionResponse> {
        Err(not_here())
    }
}

fn not_here() -> Status {
    Status::unimplemented("only read from here")
}

impl Store {
    fn etcd(&self) -> Etcd {
        let mut router = Router::new();
        router.add(Arc::new(KVServer::new(self.clone()))).unwrap();
        let channel = Channel::new(LocalTransport::new(Dispatch::new(Arc::new(router))));
        let config = EtcdConfig::new(["127.0.0.1:2379".parse().unwrap()]);
        let login = Arc::new(Login::new(&config, Arc::new(Endpoints::new(&config).unwrap())));
        Etcd(Arc::new(Inner {
            kv: KVClient::new(channel.clone()),
            lease: LeaseClient::new(channel.clone()),
            watch: WatchClient::new(channel),
            login,
            config,
        }))
    }

    fn asked(&self) -> Vec<i64> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn the_key_after_a_prefix() {
    assert_eq!(after_prefix(b"/shop/"), "/shop0");
    assert_eq!(after_prefix(b"a\xff"), "b");
    assert_eq!(after_prefix(b"\xff\xff"), "\0");
    assert_eq!(after_prefix(b""), "\0");
}

#[tokio::test]
async fn an_etcd_with_too_much_to_do_is_asked_once() {
    let refusal = Status::resource_exhausted("etcdserver: too many requests");
    let store = Store {
        refusal: Some(refusal),
        ..Store::default()
    };
    let status = store.etcd().list("/").await.unwrap_err();
    assert_eq!(status.message(), "etcdserver: too many requests");
    assert_eq!(store.asked(), [PAGE]);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_halved_and_grows_again() {
    let large = std::iter::repeat_n(900, 2);
    let store = Store {
        sizes: Arc::new(large.chain(std::iter::repeat_n(0, 5_000)).collect()),
        ..Store::default()
    };
    let list = store.etcd().list("/").await.unwrap();
    assert_eq!(list.entries.len(), 5_002);
    let asked = store.asked();
    assert!(asked.contains(&1) && asked.ends_with(&[PAGE]), "{asked:?}");
    assert!(asked.len() < 40, "{asked:?}");
}
