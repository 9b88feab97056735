import { browser } from "@web/core/browser/browser";

/**
 * Puts a text into the clipboard, also where the page came over plain HTTP and the browser hides its clipboard.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it is there
 */
export async function copyText(text) {
    try {
        await browser.navigator.clipboard.writeText(text);
        return true;
    } catch {
        return copyBySelection(text);
    }
}

function copyBySelection(text) {
    const focused = document.activeElement;
    const textarea = document.createElement("textarea");
    textarea.value = text;
    textarea.readOnly = true;
    textarea.className = "o_insightpulse_offscreen";
    document.body.append(textarea);
    textarea.select();
    const copied = document.execCommand("copy");
    textarea.remove();
    focused?.focus?.();
    return copied;
}
