// Makes a program that listens on all addresses listen on 127.0.0.1 alone: node --require this-file program.
"use strict";

const { Server } = require("node:net");

const { listen } = Server.prototype;

Server.prototype.listen = function (first, ...rest) {
    if (typeof first === "object" && first !== null) {
        return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
    }
    const callback = rest.find((argument) => typeof argument === "function");
    return listen.call(this, { port: first, host: "127.0.0.1" }, callback);
};
