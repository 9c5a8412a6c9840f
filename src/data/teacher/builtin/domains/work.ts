/** News, messages, calendars, tasks, money, languages, servers: what people ask for there. */
import { type Domain, speaksOf, takes } from "./domain.ts";

type T = Parameters<Domain["fits"]>[0];
const reading = (t: T) => t.cls === "search" || t.cls === "list" || t.cls === "read" || t.cls === "check";

export const news: Domain = {
  id: "info/news",
  fits: (t) => speaksOf(t, "news headlines") && reading(t),
  objects: ["news", "latest news", "news articles", "headlines"],
  patterns: [
    "(what's|what is) (new|happening|going on|in the news) (with|about|around|in) {=query}?",
    "(any|any recent|any fresh) (news|headlines|articles|stories) (on|about) {=query}?",
    "(find|show me|give me|get me|look up|search) (news|the latest news|recent news|headlines|articles|news stories) (on|about) {=query}",
    "(I want|I'd like) to (read|hear|know) (the latest|the news|what's new) (on|about) {=query}",
    "(what are|what do) the (papers|headlines|media) (say|saying) about {=query}?",
    "(latest|breaking|recent) news (on|about) {=query}",
    "(has anything|did anything) (happened|happen) with {=query} (lately|recently)?",
  ],
  vocabulary: "news headline article event current president happening".split(" "),
  capability: "search the news",
};

export const webSearch: Domain = {
  id: "info/web",
  fits: (t) =>
    takes(t, "query") &&
    (/\bweb\b|internet|online|google|wikipedia|knowledge/i.test(t.tool.description) || speaksOf(t, "web internet wikipedia")) &&
    reading(t),
  objects: ["information", "web results"],
  patterns: [
    "(search|look on|check) (the web|the internet|online) for {=query}",
    "(google|look up) {=query}( for me| online|)",
    "(what can you find|what do you find|find out) (online |)about {=query}(?|)",
    "(find|get) me (some |up-to-date |)information (about|on) {=query}",
    "(I need|I want) (some|more|reliable) information (on|about) {=query}",
    "(do|run) a web search (for|on|about) {=query}",
    "(what|who) is {=query}?",
    "(what|who) is {=query}?",
    "(what|who)('s| was) {=query}?",
    "(do you know|can you tell me) (what|who) {=query} is?",
    "(tell me|I want to know|can you tell me) (something |more |)about {=query}",
    "(what do you know|what is known) about {=query}?",
    "(explain|describe) {=query}( to me| briefly|)",
    "(I'm curious about|I wonder about|I want to learn about|I have to write about) {=query}",
    "(information|facts|background) (on|about) {=query}",
  ],
  vocabulary: "search web internet information".split(" "),
  capability: "search the web",
};

export const messages: Domain = {
  id: "office/messages",
  fits: (t) => t.cls === "send" || (speaksOf(t, "message email mail sms") && t.cls === "create"),
  patterns: [
    "(send|shoot|write) {@recipient} (a message|an email|a note) (saying|that says|with the text) {=text}",
    "(tell|let) {=recipient} (know that |know |) {=text}",
    "(message|email|write to|contact) {=recipient} (and say|saying|with|and tell them) {=text}",
    "(can you|could you|please) (send|pass) {=text} (on to|to) {=recipient}?",
    "(I need|I want) {=recipient} to (get|read|see) (this message|this|the following): {=text}",
  ],
  vocabulary: "message email send mail sms text".split(" "),
  capability: "send messages",
};

export const events: Domain = {
  id: "office/events",
  fits: (t) => speaksOf(t, "event events meeting meetings appointment appointments calendar reminder reminders"),
  contexts: ["My week is filling up.", "I keep forgetting things.", "The team is waiting."],
  vocabulary: "event meeting appointment calendar schedule reminder remind".split(" "),
};

export const tasks: Domain = {
  id: "office/tasks",
  fits: (t) => speaksOf(t, "task tasks todo todos issue issues ticket tickets note notes"),
  contexts: ["I'm cleaning up my list.", "We just had our stand-up.", "Before I forget."],
  vocabulary: "task todo issue ticket note".split(" "),
};

export const currency: Domain = {
  id: "money/currency",
  fits: (t) => takes(t, "currency") && (t.cls === "convert" || speaksOf(t, "exchange rate rates conversion")),
  contexts: ["I'm abroad.", "I have to pay an invoice from overseas."],
  vocabulary: "currency exchange rate convert dollar euro money".split(" "),
  nearMisses: ["What is inflation?", "Why do countries have different currencies?"],
  capability: "convert currencies",
};

export const stocks: Domain = {
  id: "money/stocks",
  fits: (t) => takes(t, "symbol") || speaksOf(t, "stock stocks share shares"),
  patterns: [
    "(what's|what is|how's|how is) {=symbol} (trading at|doing|worth)( today| now| right now|)?",
    "(how much is|what's the price of|what's the share price of) (a share of |) {=symbol}( right now| today|)?",
    "{=symbol} (stock|price|stock price|share price)",
    "(check|look up|get) (the price of |) {=symbol}( for me|)",
  ],
  vocabulary: "stock share price market ticker invest".split(" "),
};

export const inventory: Domain = {
  id: "shop/stock",
  fits: (t) =>
    (speaksOf(t, "inventory stock availability") || /\b(inventory|availability|in stock)\b/i.test(t.tool.description.slice(0, 200))) &&
    (speaksOf(t, "product products item items inventory") || takes(t, "product")) &&
    t.params.some((p) => p.property.required && (p.role.kind === "id" || p.role.kind === "product")) &&
    t.cls !== "update" &&
    t.cls !== "read",
  objects: ["availability", "stock", "inventory"],
  patterns: [
    "(do you have|have you got|do you still have) ({ID}|product {=id}) (in stock|available|)?",
    "is ({ID}|product {=id}) (available|in stock|still available|still in stock|sold out|back in stock)?",
    "(check|see|look|tell me|find out) (if|whether) ({ID}|product {=id}) is (available|in stock|still available|sold out)",
    "(can you|could you|please) (check|tell me|confirm) (if|whether) ({ID}|product {=id}) is (available|in stock|still in stock)?",
    "when will ({ID}|product {=id}) be (back|available|back in stock|restocked)?",
    "has ({ID}|product {=id}) been restocked( yet|)?",
    "(how many|how much) of ({ID}|product {=id}) (do you have|is left|is in stock)?",
    "(is there|do you have) any stock of ({ID}|product {=id})( left|)?",
  ],
  contexts: ["It was sold out last week.", "I saw it on your website.", "A friend recommended it."],
  vocabulary: "stock inventory available availability sold restock product".split(" "),
};

export const translation: Domain = {
  id: "language/translate",
  fits: (t) => speaksOf(t, "translate translation translator") || t.verb === "translate",
  patterns: [
    "(how do you say|what is|how would I say) {=text} in {=language}?",
    "(translate|put) {=text} (to|into) {=language}",
    "(can you|could you) translate {=text} (to|into) {=language}?",
    "(I need|I want) {=text} in {=language}",
  ],
  vocabulary: "translate translation say language".split(" "),
  capability: "translate text",
};

export const servers: Domain = {
  id: "tech/servers",
  fits: (t) => speaksOf(t, "server servers database databases connection"),
  contexts: ["I'm setting up the environment.", "We're migrating this week.", "The dashboard is down.", "I just got the credentials from the admin."],
  vocabulary: "server database connect connection host port".split(" "),
};

export const sensors: Domain = {
  id: "tech/sensors",
  fits: (t) => speaksOf(t, "sensor sensors device devices reading readings"),
  contexts: ["I'm on the facilities team.", "Something looked off on the dashboard.", "I'm writing the monthly report."],
  vocabulary: "sensor reading device network metric".split(" "),
};

export const WORK_DOMAINS: readonly Domain[] = [news, webSearch, messages, events, tasks, currency, stocks, inventory, translation, servers, sensors];
