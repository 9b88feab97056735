// Gives Node.js 18, which is Debian 12's, the global `crypto` that later ones have.
"use strict";

globalThis.crypto ??= require("node:crypto").webcrypto;
