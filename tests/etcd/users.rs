//! Users of an etcd.

use rpc::{Channel, Request, Result};

use super::node::Node;

/// What is needed of etcd's administration.
mod admin {
    use super::{Request, Result};

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Nothing {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct User {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) password: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Role {
        #[prost(string, tag = "1")]
        pub(super) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct UserRole {
        #[prost(string, tag = "1")]
        pub(super) user: String,
        #[prost(string, tag = "2")]
        pub(super) role: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Permission {
        /// 2 is reading and writing.
        #[prost(int32, tag = "1")]
        pub(super) kind: i32,
        #[prost(string, tag = "2")]
        pub(super) key: String,
        #[prost(string, tag = "3")]
        pub(super) range_end: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct RolePermission {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(message, optional, tag = "2")]
        pub(super) permission: Option<Permission>,
    }

    #[rpc::service(package = "etcdserverpb", codecs = [Prost])]
    pub(super) trait Auth {
        async fn auth_enable(&self, request: Request<Nothing>) -> Result<Nothing>;
        async fn user_add(&self, request: Request<User>) -> Result<Nothing>;
        async fn user_grant_role(&self, request: Request<UserRole>) -> Result<Nothing>;
        async fn role_add(&self, request: Request<Role>) -> Result<Nothing>;
        async fn role_grant_permission(&self, request: Request<RolePermission>) -> Result<Nothing>;
    }
}

/// From here on whoever asks has to log in: `root` may do all, `shop` reads and writes below `/shop/`. Their passwords are
/// `root-secret` and `shop-secret`.
pub(crate) async fn enable(node: &Node) {
    use admin::{Auth as _, Nothing, Permission, Role, RolePermission, User, UserRole};

    let client = rpc::Client::builder()
        .target(format!("static://{}", node.address()))
        .build()
        .unwrap();
    let auth = admin::AuthClient::new(Channel::from(&client));
    for name in ["root", "shop"] {
        let user = User {
            name: name.to_owned(),
            password: format!("{name}-secret"),
        };
        auth.user_add(Request::new(user)).await.unwrap();
        let role = Role {
            name: name.to_owned(),
        };
        auth.role_add(Request::new(role)).await.unwrap();
        let both = UserRole {
            user: name.to_owned(),
            role: name.to_owned(),
        };
        auth.user_grant_role(Request::new(both)).await.unwrap();
    }
    let permission = Permission {
        kind: 2,
        key: "/shop/".to_owned(),
        range_end: "/shop0".to_owned(),
    };
    let permission = RolePermission {
        name: "shop".to_owned(),
        permission: Some(permission),
    };
    auth.role_grant_permission(Request::new(permission))
        .await
        .unwrap();
    auth.auth_enable(Request::new(Nothing {})).await.unwrap();
}
