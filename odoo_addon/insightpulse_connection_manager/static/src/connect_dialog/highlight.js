/**
 * Cuts a configuration into pieces that have a colour.
 *
 * It never makes markup of a text: whoever shows the pieces writes each as text.
 */

const HASH = /#[^\n]*/y;
const SLASHES = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y;
const NUMBER = /\b\d+(?:\.\d+)?\b/y;
const INI_KEY = /^[\w.-]+(?=[ \t]*=)/my;
const YAML_KEY = /[\w.-]+(?=:(?:\s|$))/my;
const JSON_KEY = /"(?:[^"\\\n]|\\.)*"(?=[ \t]*:)/y;
const SECTION = /^\[[^\]\n]+\]+/my;
const URL_SCHEME = /[a-z][a-z0-9+:-]*:\/\//y;
const WORD = /[\p{L}\p{N}_]+/uy;
const ANY = /[\s\S]/y;

function words(text) {
    return new RegExp(`(?:${text.trim().split(/\s+/).join("|")})\\b`, "y");
}

const CONSTANTS = words("true false null None True False nil");
const CODE = words(
    `as async await break case class const continue def default defer do echo else enum export extends exit fn for from
    func function go if import in interface let match mod mut new nil package pub return select struct switch throw try
    type use var while with yield`
);
const COMMANDS = words("curl psql export mysql");

const PLAIN = [
    ["keyword", URL_SCHEME],
    ["number", NUMBER],
];
const PROGRAM = [
    ["string", STRING],
    ["keyword", CODE],
    ["constant", CONSTANTS],
    ["number", NUMBER],
];
const LANGUAGES = {
    text: PLAIN,
    shell: [["comment", HASH], ["string", /'[^']*'|"(?:[^"\\]|\\.)*"/y], ["keyword", COMMANDS], ["key", /-{1,2}[a-z][\w-]*|[A-Z_]+(?==)/y]],
    ini: [["comment", HASH], ["keyword", SECTION], ["key", INI_KEY], ["string", STRING], ...PLAIN],
    toml: [["comment", HASH], ["keyword", SECTION], ["key", INI_KEY], ["string", STRING], ["constant", CONSTANTS], ["number", NUMBER]],
    yaml: [["comment", HASH], ["key", YAML_KEY], ["string", STRING], ["constant", CONSTANTS], ["number", NUMBER]],
    json: [["key", JSON_KEY], ["string", STRING], ["constant", CONSTANTS], ["number", NUMBER]],
    python: [["comment", HASH], ...PROGRAM],
    javascript: [["comment", SLASHES], ...PROGRAM],
    typescript: [["comment", SLASHES], ...PROGRAM],
    go: [["comment", SLASHES], ...PROGRAM],
    rust: [["comment", SLASHES], ...PROGRAM],
    php: [["comment", SLASHES], ["keyword", /<\?php/y], ["variable", /\$\w+/y], ...PROGRAM],
};
// Words are skipped whole, so that no number or keyword is found in their middle.
const REST = [
    ["", WORD],
    ["", ANY],
];
const PLACEHOLDER = /(\[YOUR-[A-Z-]+\])/;
/** Beyond this a text is shown without colours: nobody reads it there. */
const COLOURED = 100_000;

/**
 * @param {string} text
 * @param {string} language one of LANGUAGES; others have no colours
 * @returns {{kind: string, text: string}[]} pieces whose texts make up the text again
 */
export function highlight(text, language) {
    const rules = text.length > COLOURED ? [] : LANGUAGES[language] || [];
    const pieces = rules.length ? cut(text, [...rules, ...REST]) : [{ kind: "", text }];
    return pieces.flatMap((piece) =>
        piece.text
            .split(PLACEHOLDER)
            .filter(Boolean)
            .map((part) => (PLACEHOLDER.test(part) ? { kind: "placeholder", text: part } : { ...piece, text: part }))
    );
}

function cut(text, rules) {
    const pieces = [];
    let at = 0;
    while (at < text.length) {
        const [kind, found] = first(text, at, rules);
        const last = pieces.at(-1);
        if (last?.kind === kind) {
            last.text += found;
        } else {
            pieces.push({ kind, text: found });
        }
        at += found.length;
    }
    return pieces;
}

function first(text, at, rules) {
    for (const [kind, pattern] of rules) {
        pattern.lastIndex = at;
        const found = pattern.exec(text)?.[0];
        if (found) {
            return [kind, found];
        }
    }
    return ["", text[at]];
}
