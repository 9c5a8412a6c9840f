/**
 * What made-up tools do: services and their operations. A line is `verb object | what the description says it is about |
 * parameters`, where `!` marks those that are required and `?` those that may be left out.
 */
export interface Operation {
  readonly verb: string;
  /** Words for the name. */
  readonly object: string;
  /** Words for the description. */
  readonly about: string;
  readonly parameters: readonly { readonly key: string; readonly required: boolean }[];
}

export interface Service {
  readonly name: string;
  readonly operations: readonly Operation[];
}

const service = (name: string, ...lines: readonly string[]): Service => ({
  name,
  operations: lines.map((line) => {
    const [head = "", about = "", parameters = ""] = line.split("|").map((part) => part.trim());
    const [verb = "", ...object] = head.split(" ");
    return {
      verb,
      object: object.join(" "),
      about,
      parameters: parameters === "" ? [] : parameters.split(" ").map((key) => ({ key: key.slice(0, -1), required: key.endsWith("!") })),
    };
  }),
});

export const SERVICES: readonly Service[] = [
  service(
    "Flights",
    "search flights|flights between two airports on a given day|origin_airport! destination_airport! date! cabin? adults? children? airline? nonstop?",
    "search round trips|flights there and back|origin_airport! destination_airport! start_date! end_date! cabin? tickets?",
    "book flight|a seat on a flight|origin! destination! date! adults! cabin? refundable?",
    "cancel flight booking|a booked flight|booking_id! reason?",
    "get flight status|the status of a flight|booking_id! date?",
  ),
  service(
    "Stays",
    "search hotels|hotels in a city|city! check_in? check_out? guests? rating? price_max? pets? smoking? wifi?",
    "reserve hotel|rooms in a hotel|hotel! city! check_in! nights! rooms? room_type?",
    "search apartments|apartments that can be rented for some days|city! district? guests? price_max? smoking? laundry? rating? sort_by?",
    "cancel reservation|a reservation|booking_id! reason?",
  ),
  service(
    "Trains",
    "find connections|train connections between two cities|origin! destination! date! time? nonstop?",
    "buy train ticket|a train ticket|origin! destination! date! tickets! cabin?",
    "get departures|the next departures from a station|city! limit?",
  ),
  service(
    "Cars",
    "rent car|a rental car|city! start_date! end_date! car_type? refundable?",
    "search cars|rental cars that are free|city! start_date! end_date? car_type? price_max?",
    "call taxi|a taxi|street! time? guests?",
  ),
  service(
    "Sights",
    "find attractions|sights and attractions of a city|city! category? free_entry? kids? rating? accessible?",
    "get opening hours|the opening hours of a place|title! city? date?",
    "book guided tour|a guided tour|city! date! guests! language?",
  ),
  service(
    "Dining",
    "find restaurants|restaurants in a city|city! cuisine? price_max? outdoor? rating? diet? alcohol? live_music?",
    "reserve table|a table in a restaurant|restaurant! date! time! guests! outdoor?",
    "order food|food from a restaurant|restaurant! products! size_choice? street? payment?",
    "cancel table reservation|a table that was reserved|booking_id!",
  ),
  service(
    "Recipes",
    "search recipes|recipes that use an ingredient|ingredient! cuisine? diet? limit?",
    "get recipe|one recipe with its steps|title! units?",
    "plan meals|meals for some days|days! diet? guests?",
    "add to shopping list|items on the shopping list|products! quantity?",
  ),
  service(
    "Shop",
    "search products|products by filters|category? color? size? price_max? in_stock? query?",
    "get product details|everything about one product|product_id! color? size?",
    "check stock|how many of a product are in stock|product_id! size? color?",
    "place order|an order|product_id! quantity! payment? gift?",
    "get order status|where an order is|order_id! product?",
    "return item|an item that was ordered|order_id! product_id! reason?",
  ),
  service(
    "Parcels",
    "track parcel|where a parcel is|tracking_number! include_details?",
    "schedule pickup|a pickup of a parcel|street! date! weight? phone?",
    "estimate shipping cost|what it costs to send a parcel|origin! destination! weight! currency?",
  ),
  service(
    "Money",
    "convert currency|an amount from one currency to another|amount! from_currency! to_currency! date?",
    "get exchange rate|the rate between two currencies|from_currency! to_currency! date?",
    "transfer money|money to a person|recipient! amount! account_type? text?",
    "get balance|the balance of an account|account_type!",
    "request payment|money from a person|person! amount! private? payment?",
    "pay invoice|an invoice|invoice_id! payment? date?",
  ),
  service(
    "Stocks",
    "get stock price|the price of a stock|symbol! date? currency?",
    "get price history|earlier prices of a stock|symbol! start_date! end_date! interval?",
    "buy stock|shares of a stock|symbol! quantity! price_max?",
    "compare stocks|two or more stocks|ids! interval?",
  ),
  service(
    "Calendar",
    "create event|an event in the calendar|title! date! time! minutes? emails? repeat?",
    "list events|events of a day|date! limit? query?",
    "delete event|an event|title! date? notify?",
    "find free time|times at which everybody is free|emails! date! minutes? timezone?",
    "move event|an event to another day|title! date! time?",
  ),
  service(
    "Reminders",
    "set reminder|a reminder|text! date! time? repeat?",
    "list reminders|reminders|include_completed? date?",
    "set alarm|an alarm|time! repeat? title?",
    "start timer|a timer|minutes! title?",
  ),
  service(
    "Mail",
    "send email|an e-mail|email! title! text! priority?",
    "search mail|messages in the mailbox|query! start_date? person? limit?",
    "forward message|a message to somebody|document_id! email! text?",
    "archive messages|old messages|end_date! tag?",
  ),
  service(
    "Chat",
    "post message|a message in a channel|channel! text! notify?",
    "list channels|channels|query? include_details?",
    "send direct message|a message to one person|recipient! text!",
    "create channel|a channel|channel! private? emails?",
  ),
  service(
    "Contacts",
    "find contact|a person's phone number and address|person! company?",
    "add contact|a person to the address book|person! phone? email? company?",
    "update phone number|a contact's phone number|person! phone!",
    "delete contact|a contact|person!",
  ),
  service(
    "Tasks",
    "create task|a task|title! assignee? due_date? priority? project?",
    "set priority|how important a task is|ticket_id! priority_number!",
    "list tasks|tasks of a project|project! status? assignee? order?",
    "assign task|a task to a person|ticket_id! assignee! notify?",
    "complete task|an open task|ticket_id! reason?",
    "set due date|the date on which a task is due|ticket_id! due_date!",
  ),
  service(
    "Support",
    "open ticket|a support ticket|title! text! priority? email?",
    "get ticket|one support ticket|ticket_id! include_details?",
    "close ticket|a support ticket|ticket_id! reason?",
    "search tickets|support tickets|query! status? limit? start_date?",
    "escalate ticket|a ticket to another team|ticket_id! department! reason?",
  ),
  service(
    "Customers",
    "get customer|a customer's data|customer_id! include_details?",
    "find customers|customers by name or company|query? company? limit?",
    "update address|the address of a customer|customer_id! street! city?",
    "list orders|orders of a customer|customer_id! status? start_date? end_date?",
  ),
  service(
    "Staff",
    "request leave|days off|start_date! end_date! reason?",
    "list employees|people of a department|department! sort_by? limit?",
    "book meeting room|a meeting room|room! date! time! minutes? guests?",
    "get salary statement|a salary statement|user_id! month! year?",
  ),
  service(
    "Files",
    "read file|the content of a file|path!",
    "write file|text into a file|path! text! overwrite?",
    "list files|files of a folder|folder! file_type? recursive? glob?",
    "move file|a file to another place|path! new_path! overwrite?",
    "search files|files that hold a text|query! folder? glob? limit?",
    "delete file|a file|path!",
    "create folder|a folder|folder!",
  ),
  service(
    "Documents",
    "search documents|documents by their text|query! author? start_date? limit? file_type?",
    "summarize document|a document in a few sentences|document_id! language? format?",
    "translate text|a text into another language|text! language! source_language?",
    "export document|a document in another format|document_id! format!",
    "share document|a document with people|document_id! emails! notify?",
  ),
  service(
    "Repositories",
    "list issues|issues of a repository|repository! status? tags? limit?",
    "create issue|an issue in a repository|repository! title! text? tags? assignee?",
    "create branch|a branch|repository! branch!",
    "list commits|commits of a branch|repository! branch? author? start_date? limit?",
    "merge branch|one branch into another|repository! branch! reason?",
    "search code|code in a repository|query! repository? file_type?",
  ),
  service(
    "Databases",
    "connect database|a database server|host! port! database! username?",
    "describe table|the columns of a table|table! database?",
    "count rows|rows of a table|table! database?",
    "back up database|a database|database! path? overwrite?",
    "list tables|tables of a database|database! query?",
  ),
  service(
    "Servers",
    "restart service|a service on a server|host! title! seconds?",
    "get server logs|messages of a server|host! severity? limit? start_date?",
    "ping host|whether a host answers|host! count_pings? seconds?",
    "rename server|a server|host! title!",
    "add server|a server|title! host! port? description?",
  ),
  service(
    "Home",
    "set thermostat|the temperature of a room|room! temperature! mode?",
    "switch light|the light of a room|room! level? color?",
    "lock door|a door|room! notify?",
    "start vacuum|the vacuum cleaner|room? mode?",
    "get energy use|how much energy was used|start_date? end_date? interval? device_id?",
  ),
  service(
    "Sensors",
    "get latest readings|the newest readings of sensors|ids? limit! page?",
    "get reading history|earlier readings of a sensor|device_id! start_date! end_date? interval?",
    "list alerts|alerts of the sensors|severity? start_date? end_date? limit?",
    "set threshold|the value at which a sensor gives an alert|device_id! temperature! notify?",
  ),
  service(
    "Weather",
    "get current weather|the weather now|city! units?",
    "get forecast|the weather of the coming days|city! days? temperature_unit?",
    "get air quality|the quality of the air|city! date?",
    "get sunrise|when the sun rises|city! date?",
    "get tides|high and low water|city! date? days?",
  ),
  service(
    "Maps",
    "get directions|the way from one place to another|origin! destination! transport? time?",
    "get distance|how far apart two places are|origin! destination! units?",
    "find nearby|places of a kind around a point|latitude! longitude! category! distance? limit?",
    "get time zone|the time zone of a place|city! date?",
  ),
  service(
    "News",
    "search news|news about a topic|query! category? start_date? language? sort_by?",
    "get headlines|today's headlines|category? country? limit?",
    "save article|an article for later|url! tags?",
  ),
  service(
    "Web",
    "search web|pages on the web|query! limit? language?",
    "fetch page|the text of a page|url! format?",
    "shorten link|a link|url! title?",
    "take screenshot|a picture of a page|url! mode?",
  ),
  service(
    "Music",
    "play song|a song|song! artist? room? level?",
    "search songs|songs by artist or genre|artist? genre? year? limit?",
    "create playlist|a playlist|title! private? tags?",
    "add to playlist|a song to a playlist|song! title! artist?",
    "find concerts|concerts in a city|city! artist? date? genre?",
  ),
  service(
    "Cinema",
    "find movies|movies to watch|genre? year? rating? query?",
    "get showtimes|when a movie is shown|movie! city! date?",
    "buy movie tickets|tickets for a movie|movie! city! date! time! tickets!",
    "rate movie|a movie|movie! rating! text?",
  ),
  service(
    "Library",
    "search books|books by title, author or topic|query? author? genre? year?",
    "borrow book|a book|book! user_id? days?",
    "renew loan|a loan|booking_id! days?",
    "reserve book|a book that is lent out|book! email?",
  ),
  service(
    "Fitness",
    "log workout|a workout|category! minutes! distance? date?",
    "log meal|what was eaten|meal! text! date?",
    "get sleep report|how somebody slept|start_date? end_date? user_id?",
    "set weight goal|the weight to reach|weight! due_date?",
    "find gyms|gyms in a city|city! price_max? distance?",
  ),
  service(
    "Clinic",
    "book appointment|an appointment with a doctor|person! date! time? reason?",
    "cancel appointment|an appointment|booking_id! reason?",
    "find doctors|doctors in a city|city! category_doctor? language? rating?",
    "get lab results|a patient's results|user_id! start_date?",
    "order refill|more of a medicine|product! quantity? street?",
  ),
  service(
    "Schools",
    "enroll course|a person in a course|title! user_id! notify?",
    "search courses|courses about a topic|topic! language? level_course? free_entry?",
    "get grades|a student's grades|user_id! year? title?",
    "submit homework|homework|title! path! text?",
  ),
  service(
    "Estate",
    "search homes|homes for sale or rent|city! price_min? price_max? rooms? pets? sort_by?",
    "schedule viewing|a viewing of a home|document_id! date! time! person?",
    "estimate mortgage|what a loan costs|amount! years! rate?",
  ),
  service(
    "Events",
    "find events|events in a city|city! category? start_date? end_date? free_entry?",
    "buy tickets|tickets for an event|title! date! tickets! seat_class?",
    "get event details|everything about one event|title! city?",
  ),
  service(
    "Helpers",
    "find service providers|people who offer a service|city! district? rating? date? price_max? age? pets?",
    "get provider profile|the profile of one provider|user_id!",
    "book cleaning|a cleaning|street! date! time! hours? pets?",
    "leave review|a review|user_id! rating! text?",
  ),
  service(
    "Marketing",
    "create campaign|a campaign|title! start_date! end_date? price_max? channel?",
    "get campaign report|how a campaign went|title! interval? format?",
    "add subscriber|a subscriber to the newsletter|email! person? language?",
    "schedule post|a post|text! datetime! channel? tags?",
  ),
  service(
    "Help",
    "get help|help on a command|topic! include_details? language? format?",
    "send feedback|feedback|text! rating? email?",
    "report problem|a problem|title! text? severity?",
  ),
  service(
    "Numbers",
    "calculate tip|the tip of a bill|amount! level! guests?",
    "calculate bmi|the body mass index|weight! height! units?",
    "convert units|a value from one unit to another|amount! from_unit! to_unit!",
    "roll dice|dice|quantity! sides?",
    "generate password|a password|length! include_symbols?",
  ),
];
