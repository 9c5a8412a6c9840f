/**
 * Requests that come close to a tool and are not its own: other deeds to its things, its deed to other things, questions in which a value stands
 * that it takes. What would serve each is beside it, so that only a toolset that lacks it is shown to decline.
 */
import type { VerbClass } from "../verbs.ts";

/** Something that is done to a thing that exists. */
export interface Deed {
  /** Verb phrases in the base form; `{O}` is the thing. */
  readonly say: readonly string[];
  /** Classes of verbs that do it. */
  readonly by: readonly VerbClass[];
  /** Beginnings of words that show, in a name or description, that a tool does it. */
  readonly needs: readonly string[];
}

const deed = (by: string, needs: string, ...say: string[]): Deed => ({
  say,
  by: by.split(" ").filter(Boolean) as VerbClass[],
  needs: needs.split(" ").filter(Boolean),
});

export const DEEDS: readonly Deed[] = [
  deed("delete", "cancel delet remov", "cancel {O}", "call off {O}"),
  deed("delete", "cancel delet remov", "delete {O}", "remove {O} from the list", "get rid of {O}"),
  deed("update", "updat edit modif chang rename", "rename {O}", "change the name of {O}", "correct the details of {O}"),
  deed("update move book", "updat chang postpon reschedul mov", "postpone {O} by a week", "move {O} to Thursday", "reschedule {O}"),
  deed("", "rat review feedback comment", "leave a review of {O}", "give {O} four stars", "write a bad review about {O}"),
  deed("", "refund return reimburs", "get my money back for {O}", "ask for a refund for {O}"),
  deed("book", "pay purchas buy order", "pay for {O}", "pay the bill for {O}"),
  deed("book", "purchas buy order cart", "buy {O}", "order {O} for my sister"),
  deed("", "repair fix mainten", "repair {O}", "have {O} fixed by Friday"),
  deed("toggle run", "restart reboot switch control turn", "restart {O}", "switch {O} off for the night"),
  deed("move write convert", "copy duplicat export download backup archiv", "make a copy of {O}", "export {O} to a spreadsheet", "archive {O}"),
  deed("book", "sell sale list", "sell {O}", "put {O} up for sale"),
  deed("send", "share send forward invit", "share {O} with Marta", "forward {O} to my colleagues"),
  deed("toggle", "lock protect password permission access", "protect {O} with a password", "give Ahmed access to {O}"),
  deed("send write", "complain report ticket support", "file a complaint about {O}", "complain to the manager about {O}"),
  deed("register", "subscrib regist notif alert", "subscribe me to {O}", "sign me up for {O}"),
  deed("", "discount coupon promo voucher", "get a discount on {O}", "use my voucher for {O}"),
  deed("book send", "deliver ship order", "have {O} delivered to my door", "ship {O} to Canada"),
  deed("update book", "upgrad updat", "upgrade {O}", "get me a better version of {O}"),
  deed("", "insur", "take out insurance for {O}"),
  deed("create", "draw picture image design photo video", "draw a picture of {O}", "design a logo for {O}"),
];

/** What may follow the thing; blanks as in `ELSEWHERE`. */
export const WHICH: readonly string[] = [
  "",
  "",
  "",
  " that I (asked for|got|told you about) (yesterday|last week|this morning)",
  " from (yesterday|last month|the other day)",
  " again",
  " right away",
  " before (noon|tomorrow)",
  " in {CITY}",
];

/** Something else that the same deed could be done to. */
export interface Thing {
  /** A noun phrase after the verb; `{CITY}` and `{DAY}` are filled. */
  readonly say: string;
  /** Beginnings of words that show, in the tools, that one of them may serve it. */
  readonly needs: readonly string[];
}

const thing = (needs: string, ...say: string[]): Thing[] => say.map((s) => ({ say: s, needs: needs.split(" ") }));

/** By what is done: looked for, got, changed, ended, said, made. */
export const ELSEWHERE: Readonly<Record<"seek" | "book" | "change" | "end" | "tell" | "make", readonly Thing[]>> = {
  seek: [
    ...thing("restaurant food dining eat", "a vegetarian restaurant in {CITY}", "a Thai place that is open late", "a café with a terrace"),
    ...thing("flight airline plane air", "a cheap flight to {CITY}", "flights to {CITY} {DAY}"),
    ...thing("train rail transport", "a train to {CITY} {DAY}", "the next train to {CITY}"),
    ...thing("bus transport", "the bus times to {CITY}", "a night bus from {CITY}"),
    ...thing(
      "hotel hous room lodging accommodation stay apartment rent propert",
      "a hotel in {CITY} for two nights",
      "an apartment with two bedrooms in {CITY}",
    ),
    ...thing("doctor health medical dentist", "a dentist who is open {DAY}", "a pharmacy in {CITY}"),
    ...thing("job vacanc career position", "a part-time job in {CITY}", "openings for a nurse in {CITY}"),
    ...thing("recipe food cook ingredient", "a recipe for lentil soup", "a recipe with chickpeas"),
    ...thing("movie film cinema", "a film for tonight", "the cinema programme for {DAY}"),
    ...thing("concert event ticket music", "a concert in {CITY} {DAY}", "jazz nights in {CITY}"),
    ...thing("song music track lyric", "the lyrics of that song", "songs for a long drive"),
    ...thing("weather forecast temperature", "the weather in {CITY}", "the forecast for {DAY}"),
    ...thing("exchange currenc rate money", "the exchange rate of the yen"),
    ...thing("stock share market price invest", "the share price of Nestlé"),
    ...thing("news headline article", "today's headlines", "the news from {CITY}"),
    ...thing("book librar author", "a book about sailing", "the opening hours of the library"),
    ...thing("car vehicle rental driv", "a rental car in {CITY}", "a second-hand car under five thousand"),
    ...thing("parking map route direction", "a parking space in {CITY}", "the fastest way to {CITY}"),
    ...thing("gym sport fitness", "a gym with a pool", "the result of last night's match"),
    ...thing("plumber electrician repair service provider handyman", "a plumber in {CITY}", "an electrician who has time {DAY}"),
    ...thing("phone contact address people person", "the phone number of the town hall"),
    ...thing("course class school universit", "a pottery class in {CITY}", "an evening course in Spanish"),
    ...thing("furniture sofa shop store product buy", "a used sofa", "a waterproof jacket in my size"),
    ...thing("pet dog animal vet", "a vet who takes rabbits", "a dog sitter for {DAY}"),
    ...thing("parcel package order deliver track", "my parcel", "the order I placed last week"),
  ],
  book: [
    ...thing("taxi cab ride car transport", "a taxi to the station", "a ride home for {DAY}"),
    ...thing("car vehicle rental", "a rental car in {CITY}", "a van for the move"),
    ...thing("ticket museum event concert", "two tickets for the opera", "seats for the concert in {CITY}"),
    ...thing("restaurant table dining food", "a table for four {DAY}", "lunch for the whole office"),
    ...thing("flight airline plane air", "a flight to {CITY} {DAY}"),
    ...thing("train rail bus transport", "a seat on the night train to {CITY}"),
    ...thing("hotel hous room lodging accommodation stay", "a hotel room in {CITY}", "a campsite near {CITY}"),
    ...thing("hair salon spa massage appointment", "a haircut for {DAY}", "a massage {DAY}"),
    ...thing("doctor dentist health appointment", "an appointment at the dentist {DAY}"),
    ...thing("tennis court sport gym", "a tennis court {DAY}"),
    ...thing("guide tour attraction", "a tour guide in {CITY}"),
    ...thing("plumber clean repair service provider", "a plumber {DAY}", "a moving company"),
    ...thing("product shop store cart order", "a new kettle", "a pair of hiking boots"),
  ],
  change: [
    ...thing("phone contact profile account user", "my phone number at the bank", "the photo on my profile"),
    ...thing("address deliver order ship", "the delivery address of my order"),
    ...thing("heating temperature thermostat appliance device home", "the heating by two degrees", "the brightness of the lamp"),
    ...thing("subscription plan account", "my phone plan", "the plan of my gym"),
    ...thing("password account login", "my password"),
    ...thing("calendar event meeting appointment", "tomorrow's meeting to ten o'clock"),
    ...thing("insurance policy", "my insurance policy"),
  ],
  end: [
    ...thing("subscription account plan", "my newspaper subscription", "my gym membership"),
    ...thing("flight hotel reservation booking trip", "my booking in {CITY}", "tomorrow's flight"),
    ...thing("meeting calendar event appointment", "the meeting {DAY}"),
    ...thing("order purchase cart", "the order from last night"),
    ...thing("account user profile librar", "my account at the library"),
    ...thing("reminder alarm", "all my reminders"),
  ],
  tell: [
    ...thing("mail message send post letter", "a postcard to my aunt", "a letter to the landlord"),
    ...thing("social post tweet publish", "a birthday wish to Elena's wall"),
    ...thing("review rating feedback", "a review of the new bakery"),
    ...thing("money transfer payment", "fifty euros to my brother"),
    ...thing("parcel package ship", "a parcel to {CITY}"),
  ],
  make: [
    ...thing("picture image photo draw", "a picture of a lighthouse", "a logo for my bakery"),
    ...thing("video film", "a video of our trip to {CITY}"),
    ...thing("song music", "a song about {CITY}"),
    ...thing("website page site", "a website for my bakery"),
    ...thing("presentation slide document", "slides for the board"),
    ...thing("calendar event reminder", "a reminder for noon"),
  ],
};

export const DAYS: readonly string[] = "tomorrow,tonight,on Saturday,on Monday morning,this weekend,next week,for Friday".split(",");

/** Questions and wishes in which a place stands and that want no look-up of it, with beginnings of words that show that a tool may serve them. */
export const OF_PLACES: readonly { readonly say: string; readonly needs: readonly string[] }[] = [
  { say: "(what|which) language do (people|they) speak in {CITY}?", needs: ["language"] },
  { say: "(roughly |)how many people live in {CITY}?", needs: ["population", "city", "fact"] },
  { say: "what is {CITY} (famous|best known) for?", needs: ["attraction", "guide", "sight", "city", "fact", "landmark"] },
  { say: "(which|what) country is {CITY} in?", needs: ["country", "geoc", "locat"] },
  { say: "how (do you|does one) pronounce {CITY}?", needs: ["pronounc", "language"] },
  { say: "(tell me|share) a (fun|surprising|little-known) fact about {CITY}", needs: ["fact", "city", "attraction"] },
  { say: "write (a short poem|a limerick|a diary entry|a two-line story) (about|set in) {CITY}", needs: ["poem", "story", "writ"] },
  { say: "what should I (wear|take along|put in my suitcase) for (a week|a few days|three nights) in {CITY}?", needs: ["weather", "cloth", "wear"] },
  { say: "(make|give) me a list of what to bring to {CITY}", needs: ["list", "note"] },
  { say: "what do (people|they) eat for breakfast in {CITY}?", needs: ["food", "restaurant", "dish"] },
  { say: "(do I|should I|is it usual to) tip (waiters|taxi drivers|the staff) in {CITY}?", needs: ["tip", "etiquette"] },
  { say: "(what|which) (currency|money) do they use in {CITY}?", needs: ["currenc", "money", "exchange"] },
  { say: "is {CITY} (bigger|older|farther north) than {OTHER}?", needs: ["population", "distance", "city", "compar"] },
  { say: "which is (nicer|cheaper to live in|better for a family), {CITY} or {OTHER}?", needs: ["compar", "cost", "city"] },
  { say: "(why|how) did {CITY} get its name?", needs: ["city", "fact"] },
  { say: "(I grew up in|I just came back from|I have always dreamed of|my grandparents met in) {CITY}", needs: ["city"] },
  { say: "is {CITY} (safe|worth it|nice) at this time of the year?", needs: ["weather", "safe", "city", "alert"] },
];
