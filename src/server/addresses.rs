//! What can be written where addresses are wanted.

use std::net::SocketAddr;

use rpc_core::net::{Address, InvalidAddress};

/// Anything that names addresses to listen on: a text such as `0.0.0.0:50051`, `[::]:50051` or `unix:/run/shop.sock`, a
/// socket address, an [`Address`], or several of one kind.
pub trait IntoAddresses: sealed::Sealed {
    #[doc(hidden)]
    fn into_addresses(self) -> Result<Vec<Address>, InvalidAddress>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! one {
    ($($of:ty: |$value:ident| $address:expr;)*) => {
        $(
            impl sealed::Sealed for $of {}

            impl IntoAddresses for $of {
                fn into_addresses(self) -> Result<Vec<Address>, InvalidAddress> {
                    let $value = self;
                    Ok(vec![$address])
                }
            }
        )*
    };
}

one! {
    &str: |text| text.parse()?;
    String: |text| text.parse()?;
    &String: |text| text.parse()?;
    SocketAddr: |address| address.into();
    Address: |address| address;
    &Address: |address| address.clone();
}

impl<T: IntoAddresses> sealed::Sealed for Vec<T> {}

impl<T: IntoAddresses> IntoAddresses for Vec<T> {
    fn into_addresses(self) -> Result<Vec<Address>, InvalidAddress> {
        all(self)
    }
}

impl<T: IntoAddresses, const N: usize> sealed::Sealed for [T; N] {}

impl<T: IntoAddresses, const N: usize> IntoAddresses for [T; N] {
    fn into_addresses(self) -> Result<Vec<Address>, InvalidAddress> {
        all(self)
    }
}

fn all<T: IntoAddresses>(several: impl IntoIterator<Item = T>) -> Result<Vec<Address>, InvalidAddress> {
    let mut addresses = Vec::new();
    for one in several {
        addresses.extend(one.into_addresses()?);
    }
    Ok(addresses)
}
