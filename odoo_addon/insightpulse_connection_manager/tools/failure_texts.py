"""What happened, and what to do: written by a test of `crates/domain`, whose texts these are."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

REASONS = {
    "host_missing": _lt("The server is missing."),
    "host_invalid": _lt("“%(text)s” is not a host name or an IP address."),
    "host_is_url": _lt("The server is written as a URL; this kind wants a host name alone, such as db.example.com."),
    "port_in_host": _lt("The server is written with a port; %(port)s belongs in the port's own field."),
    "url_invalid": _lt("“%(text)s” is not an address such as https://api.example.com/v1."),
    "scheme_forbidden": _lt("The scheme “%(scheme)s” is not allowed; http and https are."),
    "credentials_in_address": _lt(
        "The address has a user name or a password in it; they belong into their own fields."
    ),
    "port_invalid": _lt("%(port)s is not a port; ports are 1 to 65535."),
    "user_missing": _lt("The user name is missing."),
    "control_in_user": _lt("The user name has a control character in it, such as a line break."),
    "control_in_database": _lt("The database name has a control character in it, such as a line break."),
    "header_invalid": _lt("“%(header)s” is not the name of a header that a key can be sent in, such as X-Api-Key."),
    "status_invalid": _lt("“%(text)s” names no HTTP status; write 200, or 200-299, or 200,204."),
    "json_path_invalid": _lt("“%(text)s” is not a path such as $.status or $.checks[0].name."),
    "authority_invalid": _lt("The certificate authority is not one or more certificates in PEM."),
    "client_certificate_invalid": _lt(
        "The client certificate and its key are not a certificate and a private key in PEM that belong together."
    ),
    "client_key_missing": _lt("There is a client certificate, and the private key that belongs to it is missing."),
    "secret_unsendable": _lt(
        "The stored password or key has a character in it that an HTTP header cannot have, such as a line break."
    ),
    "pooler_invalid": _lt(
        "“%(text)s” is not the host of one of Supabase's poolers, such as aws-0-eu-west-1.pooler.supabase.com."
    ),
    "web_address_missing": _lt(
        "There is an API key, but no web address that it could be tested at: it is not known, and not given."
    ),
    "secret_unreadable": _lt("%(detail)s"),
    "egress_denied": _lt("The sidecar's egress policy forbids %(place)s (rule: %(rule)s)."),
    "name_unknown": _lt("DNS knows no address for %(host)s."),
    "connection_refused": _lt("%(place)s refused the connection."),
    "no_route": _lt("%(place)s cannot be reached: there is no route to it."),
    "ipv6_only": _lt("%(host)s has an IPv6 address only, and the sidecar's machine cannot reach IPv6."),
    "connect_timed_out": _lt("%(place)s did not accept a connection in time."),
    "resolve_timeout": _lt("DNS did not answer for %(place)s within %(seconds)s s."),
    "connect_timeout": _lt("%(place)s did not accept a connection within %(seconds)s s."),
    "tls_timeout": _lt("%(place)s accepted the connection, but TLS did not finish within %(seconds)s s."),
    "login_timeout": _lt("%(place)s accepted the connection, but the login did not finish within %(seconds)s s."),
    "answer_timeout": _lt("%(place)s accepted the connection, but did not answer within %(seconds)s s."),
    "cut_at_once": _lt("%(place)s cut the connection at once."),
    "cut_during_tls": _lt("%(place)s closed the connection while agreeing on TLS."),
    "cut_during_login": _lt("%(place)s closed the connection during the login."),
    "cut_before_answer": _lt("%(place)s closed the connection before it answered."),
    "tls_not_offered": _lt("%(place)s does not offer TLS, and the TLS mode “%(mode)s” demands it."),
    "tls_wanted": _lt("%(place)s lets nobody in without TLS."),
    "tls_failed": _lt("TLS with %(place)s failed: %(error)s."),
    "no_name_for_tls": _lt("%(place)s has no name that TLS can verify."),
    "client_certificate_refused": _lt("%(place)s does not accept the client certificate."),
    "client_certificate_wanted": _lt("%(place)s wants a client certificate, and none is stored."),
    "certificate_expired": _lt("The certificate of %(place)s has expired."),
    "certificate_not_yet_valid": _lt("The certificate of %(place)s is not valid yet."),
    "certificate_revoked": _lt("The certificate of %(place)s was revoked."),
    "certificate_unknown_authority": _lt(
        "The certificate of %(place)s was issued by an authority that is not known here."
    ),
    "certificate_other_name": _lt("The certificate of %(place)s is for another host name."),
    "certificate_refused": _lt("The certificate of %(place)s is not accepted."),
    "password_missing": _lt("%(place)s wants a password for the user “%(user)s”, and none is stored."),
    "password_refused": _lt("%(place)s refused the password of the user “%(user)s”."),
    "odoo_database_unknown": _lt("%(place)s answers, and has no Odoo database “%(database)s”."),
    "user_unknown": _lt("%(place)s does not know the user “%(user)s”."),
    "password_expired": _lt("%(place)s lets the user “%(user)s” do nothing before the password is changed."),
    "key_missing": _lt("%(place)s wants a key, and none is stored."),
    "key_refused": _lt("%(place)s refused the key."),
    "credentials_missing": _lt("%(place)s answered HTTP %(status)s: it wants a user or a key, and none is stored."),
    "credentials_refused": _lt("%(place)s answered HTTP %(status)s: it does not accept the user or the key."),
    "server_unproven": _lt("%(place)s could not prove that it knows the password of this user itself."),
    "auth_method_unknown": _lt("%(place)s wants the login method “%(method)s”, which is not spoken here."),
    "password_in_clear": _lt(
        "%(place)s wants the password unencrypted over a connection without TLS; it was not sent."
    ),
    "user_not_let_in": _lt("%(place)s does not let the user “%(user)s” in."),
    "database_forbidden": _lt("%(place)s forbids the user “%(user)s” to use the database “%(database)s”."),
    "http_forbidden": _lt("%(place)s knows who is asking, and does not allow it (HTTP 403)."),
    "database_unknown": _lt("%(place)s has no database “%(database)s”."),
    "no_connection_free": _lt("%(place)s has no connection free."),
    "http_too_many": _lt("%(place)s answered that it was asked too often (HTTP 429)."),
    "another_protocol": _lt("%(place)s answers, but not as %(protocol)s does."),
    "redirected": _lt("%(place)s answered with a redirect (HTTP %(status)s), which is not followed."),
    "redirected_to": _lt("%(place)s answered with a redirect (HTTP %(status)s) to %(address)s, which is not followed."),
    "status_unexpected": _lt("%(place)s answered HTTP %(status)s, and %(expected)s was expected."),
    "text_missing": _lt("%(place)s answered, and “%(text)s” is not in the answer."),
    "path_missing": _lt("%(place)s answered, and its JSON has nothing at %(path)s."),
    "path_differs": _lt("%(place)s answered, and “%(text)s” is not what its JSON has at %(path)s."),
    "not_json": _lt("%(place)s answered, but not in JSON."),
    "too_large": _lt("%(place)s answered with more than %(limit)s."),
    "compressed": _lt("%(place)s compressed its answer, though it was not asked to."),
    "server_error": _lt("%(place)s answered with an error."),
    "session_refused": _lt("%(place)s refused to begin a session."),
    "starting": _lt("%(place)s takes nobody in now: it is starting up, shutting down, or in recovery."),
    "shutting_down": _lt("%(place)s is shutting down."),
    "http_server_error": _lt("%(place)s answered with HTTP %(status)s."),
    "pooler_without_server": _lt("%(place)s is a pooler that cannot reach its own database server."),
    "not_well": _lt("%(place)s answered that it is not well."),
    "connect_failed": _lt("Connecting to %(place)s failed: %(error)s."),
    "tls_unusable": _lt("TLS cannot be used on this machine: %(error)s."),
    "panicked": _lt("The probe failed in the sidecar itself."),
    "in_recovery": _lt("%(place)s is a replica: it is in recovery, and takes no writes."),
    "slow": _lt("It took %(latency)s ms, and more than %(threshold)s ms is slow."),
    "certificate_passed": _lt(
        "The server's certificate has expired, which the TLS mode of this connection does not look at."
    ),
    "certificate_expiring": _lt("The server's certificate expires in %(days)s days."),
    "connections_high": _lt("%(used)s of %(most)s connections are in use, and more than %(percent)s%% is much."),
    "replica_lag": _lt("The replica is %(seconds)s s behind, and more than %(threshold)s s is much."),
    "replica_cut": _lt("The replica receives nothing from its primary."),
}
ADVICE = {
    "invalid_endpoint": _lt("Correct the connection's fields, then test again."),
    "secret_unreadable": _lt("Type the password or key again and save."),
    "egress_denied": _lt("If this address is meant to be reached, change the egress settings of the sidecar."),
    "dns": _lt("Check the spelling of the server's name, and the DNS of the machine that the sidecar runs on."),
    "refused": _lt("Check the port, and that the service is running and listens on this address."),
    "unreachable": _lt("Check routing, VPN and firewall between the sidecar and the server."),
    "ipv6_only": _lt(
        "Use an address that has IPv4, for Supabase that of a pooler, or give the sidecar's machine IPv6."
    ),
    "timeout": _lt("Check for a firewall that drops packets, a wrong address, or an overloaded server."),
    "reset": _lt("Look into the server's own log; a proxy or an access list may have cut the connection."),
    "tls": _lt("Check the TLS mode, and that the server has TLS switched on."),
    "certificate_expired": _lt("Have the server's certificate renewed."),
    "certificate": _lt(
        "Correct the host name or the TLS mode, store the authority that issued the certificate, or have it replaced."
    ),
    "client_certificate": _lt(
        "Store a client certificate, with its key, that the server's authority has issued for this user."
    ),
    "auth": _lt("Check the user name, and type the password or key again."),
    "auth_method": _lt("Have the server ask for SCRAM, or demand TLS in the TLS mode of this connection."),
    "forbidden": _lt("Have this user allowed from the sidecar's address (pg_hba.conf, roles, access lists)."),
    "database_missing": _lt("Check the name of the database."),
    "too_many_connections": _lt("Close connections, raise the server's limit, or go through a pooler."),
    "too_many_requests": _lt("Test less often, or have the server's limit raised."),
    "not_this_protocol": _lt("Check the address, the port and the kind of the connection."),
    "redirected": _lt("Type the address that the server redirects to, or list this status as expected."),
    "unexpected_answer": _lt("Check the path of the address, and what this connection expects as an answer."),
    "unhealthy": _lt("Look into the server's own log; it may be starting up or shutting down."),
    "internal": _lt("This is a fault of the sidecar: look into its log."),
    "slow": _lt("Look at the phases, to see what takes the time; raise the limit if this is normal."),
    "certificate_expiring": _lt("Have the server's certificate renewed before it expires."),
    "connections_high": _lt("Close connections that nobody uses, raise the server's limit, or go through a pooler."),
    "in_recovery": _lt(
        "If it is meant to be a replica, say so in the connection; if not, find out where its primary is."
    ),
    "replica_lag": _lt("Look at the replica's load, its disk, and the network to its primary."),
}
PARTS = {
    "database": _lt("Database"),
    "rest": _lt("REST"),
    "auth": _lt("Auth"),
    "web": _lt("Web"),
}
SAID = _lt("The server said: “%(said)s”.")
