/** Travel, going out, shopping, the household: what people ask for there. */
import { type Domain, speaksOf } from "./domain.ts";

type T = Parameters<Domain["fits"]>[0];
const search = (t: T) => t.cls === "search" || t.cls === "list" || t.cls === "read" || t.cls === "check";
const reserve = (t: T) => t.cls === "book" || t.cls === "create";

export const flights: Domain = {
  id: "travel/flights",
  fits: (t) => speaksOf(t, "flight flights") && search(t),
  objects: ["flights", "flight"],
  patterns: [
    "(find|find me|search for|look for|show me|look up) (a flight|flights|some flights|a plane ticket|plane tickets) {@start} {@end}",
    "(I need|I want|I'd like) (to fly|a flight|to get a flight|to book a flight) {@start} {@end}",
    "(what|which) flights (are there|can I take|go|do you have) {@start} {@end}?",
    "are there any flights {@start} {@end}?",
    "(I'm|we're|I am) (flying|travelling|planning to fly|hoping to fly) {@start} {@end}",
    "(can you|could you) (find|get|look for|search) (flights|a flight|some flights) {@start} {@end}?",
    "(flights|flight) {@start} {@end}",
    "(how can I|how do I) get (by plane |) {@start} {@end}?",
  ],
  vague: ["(I have to be in|I'm dreaming of) {=end}, (and I'm sitting in|coming from) {=start}"],
  contexts: ["I'm visiting family.", "I have a conference to attend.", "We're finally going on holiday.", "My boss wants me at a meeting."],
  vocabulary: "flight flights fly airline airport plane ticket travel trip".split(" "),
  nearMisses: ["How do airplanes stay in the air?", "Who were the Wright brothers?", "Why do ears pop on planes?"],
  capability: "search for flights",
};

export const lodgingSearch: Domain = {
  id: "travel/lodging",
  fits: (t) => speaksOf(t, "hotel hotels house houses accommodation accommodations apartment apartments room rooms lodging") && t.cls === "search",
  patterns: [
    "(I'm looking for|I need|we need|I want|I'd like) (a place to stay|somewhere to stay|a {NOUN}|a nice {NOUN}) {@place}",
    "(find|find me|search for|show me|look for|look up) (a {NOUN}|{NOUNS}|some {NOUNS}|a place to stay) {@place}",
    "((are there any|do you know any) {NOUNS}|(what|which) {NOUNS} (are available|can I stay at|are there)) {@place}?",
    "(where can I|where could we) stay {@place}?",
    "(I'm|we're) (going to|travelling to|visiting) {=place} and need (a {NOUN}|a place to stay|somewhere to sleep)",
    "(can you|could you|would you) (find|suggest|recommend|look for) (a {NOUN}|{NOUNS}|some {NOUNS}) {@place}?",
    "{NOUNS} {@place}",
    "(I'm looking|I want|I need|we want|we're planning|I'd like) to (book|rent|reserve) (a {NOUN}|somewhere to stay) {@place}, (what is available|which ones are there|find me some options|show me what there is|what are my options)",
    "(find|find me|show me|search for) (an available {NOUN}|available {NOUNS}|a {NOUN} to rent|{NOUNS} to rent) {@place}",
    "is there (an available {NOUN}|a {NOUN} to rent|a {NOUN} available) {@place}?",
  ],
  vague: ["(I'll be in|we're spending a few days in|I have a meeting in) {=place} and (have nowhere to stay|haven't sorted out where to sleep)"],
  contexts: ["We're going on a short holiday.", "My sister is getting married.", "I'm travelling for work.", "It's our first trip with the baby."],
  vocabulary: "hotel hotels house room rooms stay accommodation apartment trip travel".split(" "),
  capability: "search for places to stay",
};

export const lodgingBook: Domain = {
  id: "travel/book-lodging",
  fits: (t) => speaksOf(t, "hotel hotels house houses accommodation apartment room rooms") && reserve(t),
  patterns: [
    "(book|reserve|get me|arrange) (a {NOUN}|the {NOUN}) {ARGS}",
    "(I'd like|I want|I need|we'd like) to (book|reserve|rent) (a {NOUN}|the {NOUN}) {ARGS}",
    "(can you|could you|please) (book|reserve|make a reservation for|make a booking for) (a {NOUN}|the {NOUN}) {ARGS}?",
    "(make|please make) (a reservation|a booking) (for a {NOUN}|) {ARGS}",
    "(go ahead and|let's|just) (book|reserve) (the {NOUN}|it) {ARGS}",
  ],
  contexts: ["We've made up our minds.", "The dates are fixed now.", "I've checked with the others."],
  vocabulary: "hotel house book reserve reservation booking stay room trip travel".split(" "),
  capability: "book places to stay",
};

export const attractions: Domain = {
  id: "travel/attractions",
  fits: (t) => speaksOf(t, "attraction attractions sights sightseeing landmark landmarks"),
  objects: ["attractions", "tourist attractions", "sights", "things to see"],
  patterns: [
    "(what is there to (do|see|visit)|what can I (do|see|visit)|what should we (see|do|visit)) {@place}?",
    "(what are|show me|find|find me|look up) (the|some|good|) (attractions|sights|tourist attractions|things to do|places to visit) {@place}",
    "(I'm|we're) (visiting|spending a day in|going to) {=place}, (what should I see|what is there to do|any sights worth seeing|which attractions are there)?",
    "(I want|I'd like|we'd love) to (go sightseeing|visit some attractions|see the sights) {@place}",
    "(any|are there any) (attractions|sights|places worth visiting|things to do) {@place}?",
  ],
  vague: ["(I have a free afternoon|we have a day to kill|bored) in {=place}"],
  vocabulary: "attraction museum park sight visit tourist landmark trip travel".split(" "),
  capability: "find attractions in a city",
};

export const dining: Domain = {
  id: "food/restaurants",
  fits: (t) => speaksOf(t, "restaurant restaurants") && (search(t) || reserve(t)),
  patterns: [
    "(find|find me|search for|look for|suggest) (a restaurant|restaurants|somewhere to eat|a good restaurant|a place for dinner) {ARGS}",
    "(where can I|where should we) (eat|have dinner|get lunch) {ARGS}?",
    "(I'm|we're) (hungry|looking for a place to eat|in the mood for a nice dinner) {ARGS}",
  ],
  vocabulary: "restaurant eat dinner lunch food table".split(" "),
  capability: "find restaurants",
};

export const recipes: Domain = {
  id: "food/recipes",
  fits: (t) => speaksOf(t, "recipe recipes cookbook cooking"),
  objects: ["recipes", "recipe", "dishes"],
  patterns: [
    "(what can I (cook|make|prepare)|how could I use up|what could we cook) (with|using) {=query}?",
    "(find|find me|show me|search for|look up|give me) (a recipe|recipes|some recipes|a good recipe) (for|with|using) {=query}",
    "(I want to|I'd like to|I'm going to|help me) (cook|make|prepare) (something with |) {=query}",
    "I feel like (making|cooking) (something with |) {=query}",
    "(how do I|how can I|how to|how do you|how would I) (make|cook|prepare) {=query}(?|)",
    "(I have|we have) (some |a lot of |) {=query} (at home|in the fridge|left over), (any recipes|what can I make|any ideas)?",
    "{=query} (recipe|recipes)",
    "(do you have|are there|know) any recipes (for|with) {=query}?",
  ],
  contexts: ["Friends are coming over tonight.", "I'm at the supermarket.", "The kids are hungry."],
  vocabulary: "recipe recipes cook cooking dish dinner meal bake ingredient food".split(" "),
  capability: "search for recipes",
};

export const products: Domain = {
  id: "shop/products",
  fits: (t) => speaksOf(t, "product products") && (t.cls === "search" || t.cls === "list"),
  objects: ["products", "items"],
  patterns: [
    "(what|which) (products|items|things) (do you have|are there|can I buy) {ARGS}?",
    "(I'm looking for|I want to buy|I'd like to buy|I'm shopping for) (something|products|an item) {ARGS}",
    "(show me|find|find me|search for|browse) (products|items|things) {ARGS}",
    "(do you (have|sell|carry)|have you got) (anything|products|something|items) {ARGS}?",
  ],
  vocabulary: "product buy shop order item store stock price".split(" "),
  capability: "search for products",
};

export const orders: Domain = {
  id: "shop/orders",
  fits: (t) => t.params.some((p) => p.role.kind === "id" && /order|delivery|shipment|package|parcel|tracking/.test(p.role.entity)) && search(t),
  patterns: [
    "(where is|where's|what happened to|what's going on with|any news on|what is the status of) {ID}?",
    "(has|did) {ID} (shipped|shipped yet|been sent|been delivered|arrived)?",
    "(when will|when does) {ID} (arrive|get here|ship|come)?",
    "(can you|could you|please) (check|track|look up|look into) {ID}?",
    "(I'm waiting for|I'm still missing|I haven't received) {ID}, (where is it|what's its status|can you check)?",
    "(track|check|status of|look up) {ID}",
  ],
  contexts: ["I ordered something last week.", "My parcel still isn't here."],
  vocabulary: "order delivery package ship shipping parcel track".split(" "),
  capability: "check the status of orders",
};

export const music: Domain = {
  id: "media/music",
  fits: (t) => speaksOf(t, "music song songs track playlist album"),
  patterns: ["(play|put on|start|I want to hear|I'd like to listen to|let's hear|let me hear) {ARGS}", "(can you|could you|please) (play|put on) {ARGS}?"],
  vocabulary: "music song play album artist band playlist listen".split(" "),
  capability: "play or find music",
};

export const LIFE_DOMAINS: readonly Domain[] = [flights, lodgingSearch, lodgingBook, attractions, dining, recipes, products, orders, music];
