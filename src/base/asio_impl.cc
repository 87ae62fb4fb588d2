// SPDX-License-Identifier: Apache-2.0
// The bodies of Asio, Beast and JSON, compiled once: a one-file change rebuilds in seconds.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/json/src.hpp>
